// Package catchup is the protocol by which a node that is behind catches up, and
// by which one with gaps fills them: what one peer asks, what the other answers,
// and what of the answer is believed. It carries no byte itself and stores none:
// a [Client] asks through a function, [Serve] reads through a [Source].
//
// A node at anchor j with C_j asks a peer for its [Status]; then, with
// [Client.Anchors], for the anchors after j. Each comes as a [Verified]: its
// commitment, the IDs and outcomes that it fixes, and the messages. [Client.Backfill]
// does the same for a range that lies behind, [Client.Snapshot] fetches a file.
//
// # What is believed
//
// Nothing is asked for before what it hangs on is believed:
//
//	commitments and lists   a run of anchors: network, committee, parameters, index and Previous of
//	                        each; signatures of a quorum over the last, or its known hash; only then
//	                        the count, order and Merkle root of each list
//	bodies                  each decodes, has the ID that the list has at its place, obeys the rules
//	                        of the genesis (its work too, which the ID does not cover), and is a
//	                        transfer where its outcome is a transfer's
//
// The signatures of single messages are not checked: a message's ID covers its
// signature, a quorum signed the commitment that includes the ID, and it took
// nothing unsigned. That is what makes catching up several times as fast as
// living through it.
//
// Three things of a commitment are not checked here, because they take the state
// of a node: the tree over the commitments before, the outcomes and the state
// hash. The node that applies the anchors works them out and compares.
//
// # Runs, pages and what is held
//
// A run ends at the last signed anchor that fits in one page, so that one check of
// signatures makes many anchors believed. Where the next signed anchor is further
// away, or an anchor's list alone is longer than a page, the run takes several
// pages, at most 64 MiB; until it ends nothing of it is believed.
//
// While the consumer works on an anchor, the client asks ahead: one peer for the lists
// of the next run, and every peer for a range of bodies, one page ahead of the page of
// it that is checked; so at most two requests are under way with a peer. It
// holds at most 32 MiB of encoded bytes beyond what the consumer took, with two
// exceptions: a run of several pages, and an anchor that alone is larger, which it
// gathers whole but gathers no other beside. Decoded, a message takes some 400 bytes more
// than its encoding.
//
// # Several peers
//
// The lists come from the first of a client's peers that gives them, the bodies from
// all. What one has not, or does not give in time, another is asked for: an idle peer
// is asked, too, for a range that has been under way for more than two seconds and three
// times as long as any answer took before, and who is overtaken so is asked no more. Nor is who fails, or lies: its range goes to another, and a lie is charged to
// nobody else. So one honest peer that has everything is enough, whatever the others
// do.
//
// # Requests
//
// Big-endian. The first byte is the kind:
//
//	1 status
//	2 anchors    anchor u64, index u32, until u64
//	3 bodies     anchor u64, index u32, until u64
//	4 snapshot   index u64, offset u64
//
// Anchors and bodies begin at a position in the order that all nodes share: that of
// the anchors, and within an anchor that of its list, from 0. They go no further
// than the anchor until, and no further than fits. An index above zero goes on
// within a list that the page before began.
//
// # Replies
//
// The first byte is the status:
//
//	0 here it is, the rest is the body
//	1 not here: ask another peer. No fault; nothing follows
//	2 not yet: no anchor from there on is signed (anchors only). Nothing follows
//
// The bodies of the four kinds:
//
//	status      commitment 268       the newest that a quorum signed, as far as the peer knows
//	            complete from u64    every anchor from here on is served whole; a claim
//	            snapshot             of the newest snapshot: index u64, size u64, digest 32;
//	                                 zeros where there is none; a claim
//	            signatures           count u8, then each: seat u8, signature 64
//
//	anchors     end u8               0 the run goes on in the next page
//	                                 1 the last anchor is signed by a quorum
//	                                 2 the last anchor is until
//	            length u32, content  for each anchor: commitment 268, then of each message that it
//	                                 includes the ID 40 and the outcome u8
//	            signatures           as above; there are some if end is 1, and none otherwise
//
//	bodies      count u32            1..16,384
//	            count times: length u32, message
//
//	snapshot    size u64             of the file
//	            bytes                1 MiB, or what is left
//
// An entry of a list is the leaf of the Merkle tree, byte for byte. The content of a
// page begins and ends between entries, but not between a commitment and the first
// of its entries; put together, the pages of a run are its content. Neither lists nor bodies are numbered: the commitment counts the list,
// and the list names the bodies, so that the place where the next page begins
// follows from what came. Contents and bodies take at most 4 MiB a page.
//
// # Errors
//
// What a peer got wrong is an [*InvalidError], found at the first wrong byte: it is
// to be charged and not asked again. So is, from [Serve], a request that is none.
// [ErrNotHere] tells that a peer has not got what was asked: ask another. All other
// errors are those of the functions passed in: a slow peer, a lost connection, a
// context that ended, and in Serve our own disk. A sequence ends with an error only when
// none of its peers can go on, with that of the last. What a [Client] gave before it
// stays true, and other peers can be asked from there.
package catchup
