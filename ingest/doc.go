// Package ingest takes readings in over MQTT: an embedded broker (MQTT 3.1.1
// and 5 over TCP) that issues every PUBLISH as a data message and acknowledges
// it when the message is durable on this node.
//
//	PUBLISH -> topic -> Issuer.Issue -> durable -> PUBACK or PUBREC
//
// A reading is issued under the topic it was published to. Its content type is
// the Content Type property of MQTT 5; MQTT 3.1.1 has none. Topics that begin
// with '$' belong to the broker: publishing to them is refused.
//
// # Acknowledgement
//
// The goroutine that reads a client's socket hands a reading on and goes on
// reading. A worker of that client waits for the readings in the order of
// their receipt, distributes each one to the subscribers and acknowledges it,
// so acknowledgements leave in that order (MQTT 5.0, section 4.6) and one
// client's wait is nobody else's. Readings of one client are issued
// concurrently: the messages of two readings that were under way at the same
// time may carry timestamps in either order.
//
// At most Options.Window readings of a client are unacknowledged, and at most
// Options.MaxInFlight of all clients are being issued. At either limit the
// broker stops reading the sockets concerned, at every quality of service: TCP
// holds the client back, memory stays bounded, nothing is dropped.
//
// # Once
//
// A redelivered reading is issued once: for each client identifier the broker
// remembers the last packet identifiers with a hash of what came under them.
// A PUBLISH with DUP set that matches takes the answer of the first one. A
// PUBLISH of QoS 2 whose identifier is not yet released is the same message
// whatever its flags say (MQTT 5.0, section 4.3.3), until the client is told
// that it has a new session. An entry whose
// acknowledgement was sent well before the last sign of life on its connection
// is dropped when the connection ends: it has arrived, and an equal value
// under the same identifier is then another reading.
//
// This memory lives as long as the process. A reading that was durable, not
// yet acknowledged when the process ended, and redelivered afterwards is
// issued a second time; so is one whose client has been pushed out by
// Options.MaxSessions others. A reading never gets lost by this.
//
// # Errors
//
// What can never be accepted (a wrong topic, a content too large, a missing
// right; *message.InvalidError from the Issuer) is the client's fault. It is
// counted by reason and told to an MQTT 5 client in the acknowledgement: 0x87
// not authorized, 0x90 topic name invalid, 0x97 quota exceeded for what is too
// large (0x95 is not a reason of PUBACK), 0x83 for the rest. MQTT 3.1.1 has no
// negative acknowledgement; there such a reading is acknowledged, because a
// client that kept sending it again would never get to the next one.
//
// Every other error of the Issuer is taken for temporary and ours: the reading
// and those after it are not acknowledged and the client is disconnected
// (MQTT 5: 0x89 server busy), so that it delivers them again. What became
// durable meanwhile is found in the memory above.
//
// Listen returns an error for options that cannot work and for an address that
// cannot be opened; errors.Is(err, syscall.EADDRINUSE) tells that the port is
// taken.
//
// # Rights
//
// Every right (to connect, to publish to a topic, to subscribe to a filter, to
// leave a Will) is asked of one function, Options.Authorize. Without one only
// loopback addresses may connect, and the broker refuses to listen anywhere
// else. Rights to read are checked at SUBSCRIBE and for the subscriptions a
// resumed session brings along.
//
// # Subscriptions, retained messages, Wills
//
// Clients may subscribe and see what is published here, after it is durable.
// That delivery is best effort, bounded by Options.WritesPending messages a
// client: after a lost connection a part of a large backlog may not come again.
// A reader that must see everything reads the history from the node instead.
// Retained messages and sessions are kept in memory, bounded, and end with the
// process; so does, after a day, a retained message nobody renewed. A Will is
// a reading of its client and is issued when the connection ends without a
// DISCONNECT, or Will Delay Interval later.
//
// # Why a shell around the broker
//
// Network packets that carry a packet identifier of the client's (PUBLISH,
// PUBREL, SUBSCRIBE, UNSUBSCRIBE) are answered here, not by the mochi broker:
// it keeps both directions' identifiers in one map, acknowledges before
// anything is durable and passes Wills by every check. The hook turns them
// into something without effect. It also keeps the client's Receive Maximum
// itself, since mochi's own count leaks and takes a read lock twice in one
// goroutine, which deadlocks with a writer in between. And it keeps a SUBSCRIBE
// that looks for retained messages apart from a reading that is retained: mochi's
// index of them is read without a lock.
package ingest
