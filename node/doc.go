// Package node is a node of the network: the one door through which every
// message comes in, and the one goroutine that changes the graph.
//
// # The door
//
// Issue makes a message of a reading, Submit takes one that a client signed,
// and frames and fetched messages of peers come through the same steps: decode,
// network, work, signature, all in the caller's goroutine or in a pool of
// verifiers; then the loop. The loop takes waiting batches up to some 512
// messages, attaches
// them to the tangle, makes what became solid durable in one synced batch, and
// only then offers it as tips, announces it, tells subscribers and answers
// those who wait. An answer of [Durable] therefore survives any crash.
//
// # The loop
//
// One goroutine owns the tangle. Others send it a batch or a question and wait
// for the answer; nothing in the loop waits for a peer or a client. Reads of
// history go to the store directly.
//
// # Peers
//
// A goroutine a connected peer (a link) asks for missing ancestors and compares
// tips on connect and every 5 s: whatever gossip lost comes this way. A slow
// peer holds up its own link only.
//
// # Errors
//
// What a sender got wrong for ever is a *message.InvalidError, counted by its
// reason. What is nobody's fault is a [State] of the receipt: a duplicate, a
// message whose parents are on their way, one from a clock that runs ahead.
// ErrClosed, ErrDiskLow and ErrOverloaded say that this node takes nothing now. When the store
// fails, the node stops with that error, since its memory is then ahead of its
// disk; Health tells.
package node

import "errors"

// ErrClosed is returned for whatever comes after Close, or after the store
// failed.
var ErrClosed = errors.New("node: closed")

// ErrDiskLow is returned while the disk has less than Options.MinFree left:
// the node takes no data, and goes on by itself once there is room.
var ErrDiskLow = errors.New("node: disk is nearly full")

// ErrNotFound tells that this node does not know the message asked for.
var ErrNotFound = errors.New("node: message not found")

// ErrLagging ends a Tail whose reader fell too far behind.
var ErrLagging = errors.New("node: reader is too slow for the live stream")
