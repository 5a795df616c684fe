package layers

// tangledRules is the table of the module's packages. Paths are relative to
// the module.
var tangledRules = rules{
	module: "tangled",
	floors: map[string]int{
		"cmd/tangled": 7,

		"bench":       6, // whole networks under load
		"bench/parts": 6, // one part of a node at a time

		"internal/localnet": 5,

		"ingest": 4,
		"api":    4,

		"node": 3,

		"storage":  2,
		"snapshot": 2,
		"catchup":  2,
		"seat":     2,

		"tangle":    1,
		"consensus": 1,
		"ledger":    1,
		"tipselect": 1,
		"proof":     1,
		"gossip":    1,

		"message":              0,
		"genesis":              0,
		"merkle":               0,
		"pow":                  0,
		"api/proto/tangled/v1": 0,
		"gossip/memnet":        0, // a libp2p transport in memory
		"bench/chart":          0, // line charts as PNG and HTML
		"bench/countfs":        0, // bytes written to a file system
		"internal/bubbletest":  0, // fake time, for tests
		"internal/layers":      0,
		"internal/mutants":     0,
	},
	limit: 8,
	// What joins the packages below it may import more than the limit, and says
	// here what: exactly this, no less.
	lists: map[string][]string{
		"cmd/tangled": {
			"api", "api/proto/tangled/v1", "bench", "bench/chart", "bench/parts", "genesis", "gossip", "ingest",
			"internal/localnet", "ledger", "message", "node", "proof", "snapshot", "storage",
		},
		"internal/localnet": {
			"api", "genesis", "gossip", "gossip/memnet", "ingest", "node",
		},
		"api": {
			"api/proto/tangled/v1", "gossip", "message", "node", "snapshot", "storage",
		},
		"node": {
			"catchup", "consensus", "genesis", "gossip", "ledger", "merkle", "message", "pow", "proof", "seat", "snapshot", "storage",
			"tangle", "tipselect",
		},
	},
	// No node that serves a city speaks over a transport made for one process.
	importers: map[string][]string{
		"gossip/memnet":    {"internal/localnet"},
		"internal/layers":  {},
		"internal/mutants": {},
	},
	// Rules are pure: no file, no network, no log. What they are asked about
	// comes in as a value, what they answer goes out as one.
	pure: []string{
		"message", "genesis", "merkle", "pow",
		"tangle", "consensus", "ledger", "tipselect", "proof",
	},
	impure: []string{
		"log", "log/slog", "net", "net/http", "os", "os/exec", "os/signal",
		"io/ioutil", "syscall",
	},
	// Names that say nothing about what is in a package.
	names: []string{
		"util", "utils", "common", "helper", "helpers", "misc",
		"type", "types", "model", "models", "event", "events",
	},
}
