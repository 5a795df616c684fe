// Package bench puts a whole network under load and measures what it takes.
//
// Run starts real nodes on loopback TCP and the machine's disk, has readings
// published for a while and then looks on every node's disk for each of them. Steps
// does so with more and more sources on one network. Compare sets two results side
// by side.
//
// # Load
//
// A source publishes one reading after another, each once the one before was
// acknowledged; many sources run at once. Without a rate each publishes as soon as
// it may: the network is as loaded as so many readings under way can load it. With
// a rate each reading is due at a time, and its latencies count from then on, not
// from when it was sent: a source that had to wait is late because of the network,
// and that must show.
//
// # How readings come in
//
//	direct   Node.Issue, as the MQTT and gRPC servers call it for a sensor: the node
//	         selects tips, signs and does the work. With issuers, readings are
//	         signed under their keys outside the node and come in by Node.Submit,
//	         which verifies them
//	grpc     SubmitStream, up to 256 sources a stream
//	mqtt     QoS 1 publishes over 100 connections
//
// # What is measured
//
// Everything is of the measured time, which begins when the warm-up ends, and of
// the whole network, but where a field says otherwise. A reading is durable when its
// acknowledgement came, and final once the slowest node has applied the anchor that
// includes it. Which anchor that is, is read back from the stores after the load, so
// that following the readings costs nothing while they are measured; only the times
// of the anchors are noted meanwhile. A reading that was acknowledged and is missing
// or not final on any node is lost.
//
// CPU time is the process's, and a CPU profile of the same time divides it. A sample
// belongs to the innermost function on its stack that a stage claims; what the load
// generator's goroutines do outside the node is the generator's. See Stages.
//
// # Errors
//
// An error of Options is an *OptionError. Whatever else Run and Steps return is what
// the network or the disk returned, or that no reading at all was acknowledged.
// Readings that were not acknowledged or are lost are no error but part of the
// result.
package bench
