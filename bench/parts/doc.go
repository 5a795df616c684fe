// Package parts measures one part of a node at a time: what `tangled bench` followed
// by the name of a part does. Package bench measures whole networks.
//
//	Sync     an empty node catches up with a node that has a history
//	Prune    old messages are deleted, and their room comes back
//	Store    messages become durable, until there are many
//	Query    a store of many messages answers
//	Pow      kernels that search nonces
//	Verify   signatures, one by one and in batches
//	Tips     tip selection with a full pool
//
// Each returns its figures as a value that encodes to one JSON object. What takes long
// tells its progress and ends with its context; what is short is measured three times,
// and the median counts.
//
// # What is real
//
// Readings are JSON of 256 bytes from 1,000 sensors, with numbers drawn at random. In
// Sync two nodes as in any network make and exchange them, each signed, with no work to
// do. Prune, Store and Query fill a store as a node does: batches of 512 in one synced
// write, an anchor for every 5,000 messages, all index rows. There signatures and
// commitments are random bytes, which a store does not look at, so that making the
// messages does not take longer than storing them; they compress as little as real
// ones. Figures on disk are those of tables after a compaction; logs are apart.
//
// Times are of the wall clock: other work of the machine shows in them.
//
// # Errors
//
// A folder that is missing, too few messages, the context's error, or what the part
// itself returned, with the step in front. Sync also fails where the two nodes differ,
// or where not all readings are final.
package parts
