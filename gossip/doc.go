// Package gossip carries bytes between the nodes of one network: frames of
// messages over GossipSub, and the fetch, tips and sync exchanges over streams of
// their own. It knows the bounds of what it carries and judges nothing else;
// whether a message is valid is asked of the node through Options.
//
// # What runs
//
// A Gossip is a libp2p host on TCP with the network's swarm key (a pre-shared
// key under everything, so that a stranger's bytes are noise), noise and yamux.
// Its identity is the node's Ed25519 key. Relays, NAT mapping, AutoNAT and
// address discovery are off: a network's peers are listed, not discovered.
//
// Neighbours are Options.Peers plus AddPeer minus RemovePeer; the difference to
// Options.Peers is kept in peers.json, so that a restart changes nothing. Every
// neighbour with an address is dialled while it is not connected, with a wait
// that doubles from 1 s to 30 s and is jittered, so that a healed partition does
// not bring all dials in one instant. A gater refuses everyone else, unless
// Options.Open.
//
// # Frames
//
// Announce queues a message and never blocks. Messages leave in frames of up to
// 64, at most 512 KiB, 5 ms after the first of them and 50 ms after the frame
// before, or at once when full or after Flush. One
// message per frame would cost several times the CPU and lose data in the
// default queues from some thousand a second on.
//
// A received frame is decoded and given to Options.Judge, which blocks until the
// node has validated and committed its messages; only then is it forwarded. So
// nothing travels further than where it is durable. A bounded number of frames is
// judged at once, a bounded number waits, and what comes beyond is dropped and
// counted: fetch repairs it.
//
// # Fetch, tips and sync
//
// Fetch asks one peer for messages and their ancestors, ExchangeTips swaps the
// IDs of the newest tips. Sync carries a request and a reply of the protocol by
// which nodes catch up, as bytes. Each is one request and one reply on a stream of
// its own; the layouts stand beside the codecs in exchange.go, fetchwire.go and
// tips.go. All kinds share the bounds on time and on how many run at once.
//
// # Bad peers
//
// An invalid frame, rubbish on a stream and Penalise cost a peer one point each;
// a point is forgiven per tenth of Options.Ban. A burst of Options.MaxInvalid
// disconnects the peer and refuses it for Options.Ban. GossipSub's own score (P4,
// invalid deliveries) takes the peer out of the mesh from the first. Full queues,
// slowness and lost connections cost nothing.
//
// # Errors
//
// What a peer got wrong is an *InvalidError. It is counted, costs the peer and is
// logged below error level. ErrNotConnected, ErrNotListed and ErrClosed say why a
// request did not leave this node; a peer that is too slow yields an error that
// is context.DeadlineExceeded. A *ListenError names the address that could not be
// had. What is logged at error level is this node's own fault: its callbacks
// broke a bound, or its disk refused peers.json.
package gossip
