// Package api is the gRPC edge of a node: it turns calls of the package
// tangled.v1 into calls of the node and the node's errors into status codes.
//
// Open listens and serves three services: MessagesService (submit, get,
// metadata), HistoryService (query, tail) and NodeService (info, peers). The
// files under proto/ are their manual. Beside them stand the standard health
// service and reflection, so that grpcurl and probes work without our files.
//
// # Bounds
//
// A request has at most 64 KiB, a connection at most 128 calls at a time, the
// server at most Options.MaxConns connections and Options.MaxStreams open
// streams. A unary call without a deadline gets Options.Timeout; so does every
// reading of a SubmitStream. A SubmitStream has at most 256 readings in work
// and is not read further meanwhile, so a client that is faster than the node
// waits in its own Send. A Query is read from the store in pieces of at most
// 1 MiB: a client that reads slowly holds up nothing but itself.
//
// # Health
//
// The overall status and MessagesService's serve while [node.Node.Health] is
// nil, looked at every second. While only the disk is low, history and peers
// can still be asked for, and HistoryService and NodeService still serve.
//
// # Errors
//
// Methods return what the node returned; status.go maps it, in one place, to a
// code. INVALID_ARGUMENT is the client's fault and carries a google.rpc.ErrorInfo
// with a reason from a fixed set. RESOURCE_EXHAUSTED and UNAVAILABLE say that
// this node takes nothing now, ABORTED that a tail was too slow. INTERNAL and
// DATA_LOSS are this node's own fault; they alone are logged, at error level.
// Texts are for people and not hidden: a network is private, and who may reach
// this address may know.
//
// Anyone who can connect may do everything that the services offer, so the
// default address is loopback and any other wants Options.TLS with client
// certificates, or a network that only operators reach.
package api
