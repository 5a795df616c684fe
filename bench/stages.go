package bench

import (
	"slices"
	"strings"
	"time"
)

const (
	// generatorLabel is the profiler label on the goroutines of the generator.
	generatorLabel = "generator"
	generatorStage = "generator"
)

// Stages are the keys of Result.CPUByStage, in the order of a message's way:
//
//	generator  what publishes: making readings, signing with --issuers, clients
//	ingest     the MQTT and gRPC servers
//	node       the door and the loop themselves
//	message    encoding, decoding, hashing
//	sign       Ed25519 signing by the node
//	verify     Ed25519 verification
//	pow        proof of work
//	tangle     the DAG and tip selection
//	storage    the store, with Pebble's own flushes and compactions
//	gossip     frames, GossipSub, libp2p, noise
//	consensus  witnesses, anchors, ledger, commitments
//	gc         the garbage collector
//	runtime    Go's scheduler and timers
//	other      the rest
func Stages() []string {
	return []string{
		generatorStage, "ingest", "node", "message", "sign", "verify", "pow",
		"tangle", "storage", "gossip", "consensus", "gc", "runtime", "other",
	}
}

// A claim says which stage the functions of a prefix belong to. A longer prefix
// stands before a shorter one.
type claim struct{ prefix, stage string }

func claims() []claim {
	return []claim{
		{"runtime.gcBgMark", "gc"},
		{"runtime.gcAssist", "gc"},
		{"runtime.gcDrain", "gc"},
		{"runtime.gcStart", "gc"},
		{"runtime.gcMark", "gc"},
		{"runtime.bgsweep", "gc"},
		{"runtime.bgscavenge", "gc"},
		{"runtime.(*mspan).sweep", "gc"},
		{"runtime.(*sweepLocked).sweep", "gc"},
		{"runtime.(*mheap).nextSpanForSweep", "gc"},
		{"runtime.wbBufFlush", "gc"},

		// The arithmetic of both belongs to whoever wants it.
		{"github.com/oasisprotocol/curve25519-voi/primitives/ed25519.Sign", "sign"},
		{"github.com/oasisprotocol/curve25519-voi/primitives/ed25519.sign", "sign"},
		{"github.com/oasisprotocol/curve25519-voi/primitives/ed25519.PrivateKey", "sign"},
		{"crypto/ed25519.Sign", "sign"},
		{"crypto/ed25519.PrivateKey", "sign"},
		{"github.com/oasisprotocol/curve25519-voi/primitives/ed25519", "verify"},
		{"tangled/message.(*Verifier)", "verify"},
		{"tangled/message.(*batch)", "verify"},
		{"tangled/message.(*keys)", "verify"},

		{"tangled/pow", "pow"},
		{"tangled/message", "message"},
		{"tangled/tangle", "tangle"},
		{"tangled/tipselect", "tangle"},
		{"tangled/node.(*tipPool)", "tangle"},
		{"tangled/storage", "storage"},
		{"github.com/cockroachdb/pebble", "storage"},
		{"tangled/gossip", "gossip"},
		{"github.com/libp2p", "gossip"},
		{"github.com/flynn/noise", "gossip"},
		{"tangled/consensus", "consensus"},
		{"tangled/ledger", "consensus"},
		{"tangled/merkle", "consensus"},
		{"tangled/proof", "consensus"},
		{"tangled/seat", "consensus"},
		{"tangled/node.(*finality)", "consensus"},
		{"tangled/node.(*tally)", "consensus"},
		{"tangled/node.(*writer)", "consensus"},
		{"tangled/ingest", "ingest"},
		{"tangled/api", "ingest"},
		{"github.com/mochi-mqtt", "ingest"},
		{"google.golang.org/grpc", "ingest"},
		{"tangled/node", "node"},
		{"tangled/bench", generatorStage},
	}
}

// byStage divides CPU time among the stages.
func byStage(samples []sample) map[string]time.Duration {
	all := claims()
	total := make(map[string]time.Duration)
	for _, s := range samples {
		total[s.stage(all)] += s.cpu
	}
	return total
}

// stage is the one that a sample belongs to.
func (s sample) stage(all []claim) string {
	if s.labels[generatorLabel] != "" && !s.inNode() && !s.collects(all) {
		return generatorStage
	}
	for _, f := range s.stack {
		if stage := claimed(all, f); stage != "" {
			return stage
		}
	}
	if n := len(s.stack); n > 0 && strings.HasPrefix(s.stack[n-1], "runtime.") {
		return "runtime" // nobody of ours called it
	}
	return "other"
}

// inNode tells whether the stack is that of a call into a node.
func (s sample) inNode() bool {
	return slices.ContainsFunc(s.stack, func(f string) bool {
		return strings.HasPrefix(f, "tangled/node.") || strings.HasPrefix(f, "tangled/pow.")
	})
}

// collects tells whether the sample is of the garbage collector's.
func (s sample) collects(all []claim) bool {
	return slices.ContainsFunc(s.stack, func(f string) bool { return claimed(all, f) == "gc" })
}

// claimed is the stage of a function; empty for one that belongs to whoever called
// it.
func claimed(all []claim, function string) string {
	for _, c := range all {
		if strings.HasPrefix(function, c.prefix) {
			return c.stage
		}
	}
	return ""
}
