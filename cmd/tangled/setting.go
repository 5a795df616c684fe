package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/multiformats/go-multiaddr"

	"tangled/message"
	"tangled/node"
)

// setting is one key of tangled.toml, which is TANGLED_KEY in the environment
// and --set key=value on the command line.
type setting struct {
	key  string
	help string // one line for the comment in a new file
	// required settings have no default.
	required bool
	// table settings stand in an array of tables, [[retention]], and so in a file
	// only. Their toml is not used.
	table  bool
	assign func(c *config, a assignment) error
	// toml is the value as it stands in a file.
	toml func(c *config) string
}

// settings are all there are, in the order in which a new file lists them.
func settings() []setting {
	return []setting{
		required(textSetting("role", `"middle" takes data in, validates and gossips; "permanode" keeps the full history`,
			func(c *config) *node.Role { return &c.Role }, parseRole)),
		required(pathSetting("data_dir", "where the node keeps its data; made when missing",
			func(c *config) *string { return &c.DataDir })),
		required(pathSetting("genesis", "the network's birth certificate, the same file on every node",
			func(c *config) *string { return &c.Genesis })),
		required(pathSetting("key", "the node's own Ed25519 key, PKCS#8 PEM, mode 0600",
			func(c *config) *string { return &c.Key })),
		required(pathSetting("swarm_key", "the network's shared key, mode 0600",
			func(c *config) *string { return &c.SwarmKey })),

		listSetting("gossip.listen", "TCP multiaddrs to listen on for peers",
			func(c *config) *[]multiaddr.Multiaddr { return &c.Gossip.Listen }, parseListenAddr),
		listSetting("gossip.peers", "neighbours, as multiaddrs that end in /p2p/ID; no others may connect",
			func(c *config) *[]multiaddr.Multiaddr { return &c.Gossip.Peers }, parsePeerAddr),
		boolSetting("gossip.open", "let in every holder of the swarm key",
			func(c *config) *bool { return &c.Gossip.Open }),

		textSetting("mqtt.listen", "host:port of the MQTT broker; empty is none",
			func(c *config) *string { return &c.MQTT.Listen }, parseHostPort),
		intSetting("mqtt.max_connections", "connections in all",
			func(c *config) *int { return &c.MQTT.MaxConnections }, 1<<24),
		intSetting("mqtt.max_connections_per_address", "connections of one address",
			func(c *config) *int { return &c.MQTT.MaxConnectionsPerAddress }, 1<<24),
		intSetting("mqtt.max_sessions", "remembered clients without a connection",
			func(c *config) *int { return &c.MQTT.MaxSessions }, 1<<24),
		intSetting("mqtt.max_subscriptions", "subscriptions of a client",
			func(c *config) *int { return &c.MQTT.MaxSubscriptions }, 1<<16),
		intSetting("mqtt.max_in_flight", "readings of all clients on their way to the disk",
			func(c *config) *int { return &c.MQTT.MaxInFlight }, 1<<24),
		intSetting("mqtt.window", "unacknowledged readings of a client",
			func(c *config) *int { return &c.MQTT.Window }, math.MaxUint16),
		textSetting("mqtt.max_packet_size", "largest MQTT packet",
			func(c *config) *size { return &c.MQTT.MaxPacketSize }, sizeBetween(kibibyte, 256*mebibyte)),
		textSetting("mqtt.connect_timeout", "from accepting a connection to its whole CONNECT",
			func(c *config) *time.Duration { return &c.MQTT.ConnectTimeout }, parseTimeout),
		textSetting("mqtt.write_timeout", "how long a client may leave what is sent to it unread",
			func(c *config) *time.Duration { return &c.MQTT.WriteTimeout }, parseTimeout),

		textSetting("api.listen", "host:port of the gRPC API; empty is none",
			func(c *config) *string { return &c.API.Listen }, parseHostPort),
		textSetting("metrics.listen", "host:port for Prometheus, at /metrics; empty is none",
			func(c *config) *string { return &c.Metrics.Listen }, parseHostPort),

		textSetting("storage.cache", "block cache of the store",
			func(c *config) *size { return &c.Storage.Cache }, sizeBetween(mebibyte, 1<<20*mebibyte)),
		textSetting("storage.min_free", "disk to leave free; below, the node takes no data",
			func(c *config) *size { return &c.Storage.MinFree }, sizeBetween(mebibyte, 1<<30*mebibyte)),
		textSetting("storage.retention", `how long messages are kept, such as "672h", or "forever", which a permanode must`,
			func(c *config) *keepTime { return &c.Storage.Retention }, parseKeepTime),
		textSetting("storage.max_disk", `delete the oldest messages before the store takes more than this; "0" is no limit`,
			func(c *config) *limit { return &c.Storage.MaxDisk }, parseLimit),
		textSetting("storage.snapshot_interval", "a snapshot of the ledger is written this often",
			func(c *config) *interval { return &c.Storage.SnapshotInterval }, parseInterval),
		intSetting("storage.snapshot_keep", "how many snapshots are kept",
			func(c *config) *int { return &c.Storage.SnapshotKeep }, 1000),
		listSetting("storage.legal_hold", "topic filters; messages under them are never deleted",
			func(c *config) *[]message.Filter { return &c.Storage.LegalHold }, message.ParseFilter),

		textSetting("storage.trust", `J:HASH of a commitment that you vouch for; another history is refused; "" is none`,
			func(c *config) *trusted { return &c.Storage.Trust }, parseTrusted),

		levelSetting("log.level", "debug, info, warn or error"),
		textSetting("log.format", "text or json",
			func(c *config) *string { return &c.Log.Format }, parseLogFormat),

		tableSetting("retention.topic", "topic filter of messages that are kept for another time",
			func(r *topicRetention) *message.Filter { return &r.Topic }, message.ParseFilter),
		tableSetting("retention.keep", "for how long",
			func(r *topicRetention) *keepTime { return &r.Keep }, parseKeepTime),
	}
}

func settingsByKey() map[string]setting {
	m := make(map[string]setting)
	for _, s := range settings() {
		m[s.key] = s
	}
	return m
}

func required(s setting) setting {
	s.required = true
	return s
}

// textSetting is a string in the file, of which parse makes the value. The
// value's default format must be what parse reads.
func textSetting[T any](key, help string, field func(*config) *T, parse func(string) (T, error)) setting {
	return setting{
		key: key, help: help,
		assign: func(c *config, a assignment) error {
			s, ok := a.value.(string)
			if !ok {
				return wrongType("a string", a.value)
			}
			v, err := parse(s)
			if err != nil {
				return err
			}
			*field(c) = v
			return nil
		},
		toml: func(c *config) string { return quote(fmt.Sprint(*field(c))) },
	}
}

func pathSetting(key, help string, field func(*config) *string) setting {
	s := textSetting(key, help, field, nonEmpty)
	inner := s.assign
	s.assign = func(c *config, a assignment) error {
		if err := inner(c, a); err != nil {
			return err
		}
		*field(c) = resolve(a.dir, *field(c))
		return nil
	}
	return s
}

// listSetting is an array of strings in the file, and elsewhere its elements
// with commas in between.
func listSetting[T fmt.Stringer](key, help string, field func(*config) *[]T, parse func(string) (T, error)) setting {
	return setting{
		key: key, help: help,
		assign: func(c *config, a assignment) error {
			elements, err := elementsOf(a.value)
			if err != nil {
				return err
			}
			list := make([]T, len(elements))
			for i, e := range elements {
				if list[i], err = parse(e); err != nil {
					return fmt.Errorf("element %d: %w", i+1, err)
				}
			}
			*field(c) = list
			return nil
		},
		toml: func(c *config) string {
			if len(*field(c)) == 0 {
				return "[]"
			}
			var b strings.Builder
			b.WriteString("[\n")
			for _, v := range *field(c) {
				b.WriteString("  " + quote(v.String()) + ",\n")
			}
			return b.String() + "]"
		},
	}
}

func boolSetting(key, help string, field func(*config) *bool) setting {
	return setting{
		key: key, help: help,
		assign: func(c *config, a assignment) (err error) {
			switch v := a.value.(type) {
			case bool:
				*field(c) = v
			case string:
				if !a.bare || v != "true" && v != "false" {
					return wrongType("true or false", a.value)
				}
				*field(c) = v == "true"
			default:
				return wrongType("true or false", a.value)
			}
			return nil
		},
		toml: func(c *config) string { return strconv.FormatBool(*field(c)) },
	}
}

// intSetting is a limit of at least 1.
func intSetting(key, help string, field func(*config) *int, most int64) setting {
	return setting{
		key: key, help: help,
		assign: func(c *config, a assignment) (err error) {
			n, ok := a.value.(int64)
			if s, text := a.value.(string); text && a.bare {
				n, err = strconv.ParseInt(s, 10, 64)
				ok = err == nil
			}
			if !ok {
				return wrongType("a whole number", a.value)
			}
			if n < 1 || n > most {
				return fmt.Errorf("%d is not within 1..%d", n, most)
			}
			*field(c) = int(n)
			return nil
		},
		toml: func(c *config) string { return strconv.Itoa(*field(c)) },
	}
}

func levelSetting(key, help string) setting {
	return setting{
		key: key, help: help,
		assign: func(c *config, a assignment) error {
			s, ok := a.value.(string)
			if !ok {
				return wrongType("a string", a.value)
			}
			return parseLevel(s, &c.Log.Level)
		},
		toml: func(c *config) string { return quote(strings.ToLower(c.Log.Level.String())) },
	}
}
