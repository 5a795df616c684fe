// Package api is the gRPC edge of a node: it turns calls of the package
// tangled.v1 into calls of the node and the node's errors into status codes.
//
// Open listens and serves six services: MessagesService (submit, get, metadata),
// HistoryService (query, tail, follow), LedgerService (balance, transfer, an
// account's history), ProofsService (proofs, anchors), NodeService (info, peers) and UpkeepService (snapshots, pruning,
// gaps, audit, backup, check).
// The files under proto/ are their manual. Beside them stand the standard health
// service and reflection, so that grpcurl and probes work without our files.
//
// # Bounds
//
// A request has at most 64 KiB, a connection at most 128 calls at a time, the
// server at most Options.MaxConns connections and Options.MaxStreams open
// streams. A unary call without a deadline gets Options.Timeout; so does every
// reading of a SubmitStream. A SubmitStream has at most 256 readings in work
// and is not read further meanwhile, so a client that is faster than the node
// waits in its own Send. A Query or an AccountHistory is read from the store in
// pieces of at most 1 MiB, a Follow at most 256 messages ahead: a client that reads
// slowly holds up nothing but itself.
//
// What nobody uses is taken back: a stream whose client takes nothing for 30 s ends
// with ABORTED, and a connection without a call for a minute is closed. Clients
// connect again when they have to.
//
// # Finality
//
// A submission may wait until its message is final. A Follow is all final messages in
// their network-wide order, from a cursor on that holds on every node. Both, and
// proofs, are refused with FAILED_PRECONDITION where they can never succeed: in a
// network without a committee, and on a node with an alarm, which other nodes know
// better than (see [node.Alarm]).
//
// # Health
//
// The overall status and MessagesService's serve while [node.Node.Health] is
// nil, looked at every second. While only the disk is low, or the node is catching up
// with the network, all but intake goes on, and the other services still serve.
//
// # Errors
//
// Methods return what the node returned; status.go maps it, in one place, to a
// code. INVALID_ARGUMENT is the client's fault and carries a google.rpc.ErrorInfo
// with a reason from a fixed set. RESOURCE_EXHAUSTED and UNAVAILABLE say that
// this node takes nothing now, ABORTED that the reader of a stream was too slow.
// FAILED_PRECONDITION about finality has an ErrorInfo too: NOT_FINAL and CATCHING_UP
// go away by themselves, NO_COMMITTEE and ALARM do not. So has what an operator asks
// for and the node does not do: PASSED, BUSY, FOREVER, TOO_RECENT, and PEER_DATA for
// what a peer gave and does not verify. An alarm is no DATA_LOSS: it stands until an
// operator has looked, and the node has logged it once. INTERNAL and DATA_LOSS are
// this node's own fault; they alone are logged, at error level.
// Texts are for people and not hidden: a network is private, and who may reach
// this address may know.
//
// Anyone who can connect may do everything that the services offer, so the
// default address is loopback and any other wants Options.TLS with client
// certificates, or a network that only operators reach.
package api
