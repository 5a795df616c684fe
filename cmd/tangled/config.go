package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/multiformats/go-multiaddr"

	"tangled/message"
	"tangled/node"
)

// config is what a node runs with: tangled.toml, then the environment, then
// --set, each overriding what came before. settings maps its fields to keys.
type config struct {
	Role     node.Role
	DataDir  string
	Genesis  string
	Key      string
	SwarmKey string
	// FirstStart is the operator's word that Key has never written a witness.
	// It is no setting but the flag --first-start: in a file it would outlive
	// its truth.
	FirstStart bool

	Gossip struct {
		Listen []multiaddr.Multiaddr // TCP; none is a free port on loopback
		Peers  []multiaddr.Multiaddr // each ends in /p2p/ID
		Open   bool
	}
	MQTT struct {
		Listen                   string // host:port; empty is no broker
		MaxConnections           int
		MaxConnectionsPerAddress int
		MaxSessions              int
		MaxSubscriptions         int
		MaxInFlight              int
		Window                   int
		MaxPacketSize            size
		ConnectTimeout           time.Duration
		WriteTimeout             time.Duration
	}
	API struct {
		Listen string // host:port; empty is no API
	}
	Metrics struct {
		Listen string // host:port; empty is none
	}
	Storage struct {
		Cache            size
		MinFree          size
		Retention        keepTime
		MaxDisk          limit
		SnapshotInterval interval
		SnapshotKeep     int
		LegalHold        []message.Filter
		Trust            trusted
	}
	// Topics are the [[retention]] tables.
	Topics []topicRetention
	Log    struct {
		Level  slog.Level
		Format string // text or json
	}

	// origins tells where each setting that was made was made; see assignment.place.
	origins map[string]string
}

// defaultConfig is a config in which no setting was made. Limits of zero leave
// the choice to the package that they limit.
func defaultConfig() *config {
	c := &config{origins: make(map[string]string)}
	c.MQTT.MaxConnections = 10_000
	c.MQTT.MaxConnectionsPerAddress = 1024
	c.MQTT.MaxSessions = 10_000
	c.MQTT.MaxSubscriptions = 100
	c.MQTT.MaxInFlight = 4096
	c.MQTT.Window = 256
	c.MQTT.MaxPacketSize = 64 * kibibyte
	c.MQTT.ConnectTimeout = 5 * time.Second
	c.MQTT.WriteTimeout = 10 * time.Second
	c.Storage.Cache = 64 * mebibyte
	c.Storage.MinFree = 256 * mebibyte
	c.Storage.Retention = defaultRetention
	c.Storage.SnapshotInterval = interval(time.Hour)
	c.Storage.SnapshotKeep = 3
	c.Log.Format = formatText
	return c
}

// followRole makes those defaults that depend on the role.
func (c *config) followRole() {
	if c.origins["storage.retention"] != "" {
		return
	}
	if c.Storage.Retention = defaultRetention; c.Role == node.Permanode {
		c.Storage.Retention = forever
	}
}

// assignment is a setting somebody made.
type assignment struct {
	key string
	// table is which table of an array of tables the key stands in, from 1; zero
	// for none.
	table int
	// value is what TOML says: a string, int64, bool, []any. Outside a file it
	// is bare: a string, whatever the setting wants.
	value any
	bare  bool
	// origin is where, for the operator to find it: "net/node1/tangled.toml:7".
	origin string
	// dir is what a relative path in value starts from; empty is the working
	// directory.
	dir string
}

// place is the key with the number of its table: retention[2].keep.
func (a assignment) place() string { return tablePlace(a.key, a.table) }

// configError is a setting that cannot be accepted. It is a usage error.
type configError struct {
	Origin string // file:line, the variable, or the flag; empty for the whole
	Key    string // empty where the trouble is not with one
	Err    error
}

func (e *configError) Error() string {
	text := e.Err.Error()
	if e.Key != "" {
		text = e.Key + ": " + text
	}
	if e.Origin != "" {
		text = e.Origin + ": " + text
	}
	return text
}

func (e *configError) Unwrap() error { return e.Err }

// loadConfig reads the file at path and applies the environment and the --set
// flags on top. It does not open what the config names; see check.
func loadConfig(path string, environ, sets []string) (*config, error) {
	text, err := readSmall(path, maxConfigSize)
	if err != nil {
		return nil, &configError{Err: err}
	}
	all, err := parseFile(text, path)
	if err != nil {
		return nil, err
	}
	fromEnv, err := parseEnviron(environ)
	if err != nil {
		return nil, err
	}
	fromFlags, err := parseSets(sets)
	if err != nil {
		return nil, err
	}
	all = append(append(all, fromEnv...), fromFlags...)
	c, err := assemble(all)
	if err != nil {
		return nil, err
	}
	return c, c.complete(path)
}

// Bounds on what is read of a file that is something else. A genesis lists
// balances, at some 100 bytes each.
const (
	maxConfigSize  = 256 * kibibyte
	maxGenesisSize = 256 * mebibyte
)

// readSmall reads a regular file of a bounded size.
func readSmall(path string, limit size) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > int64(limit) || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a file of at most %v", path, limit)
	}
	return os.ReadFile(path)
}

// assemble applies assignments to the defaults, in order.
func assemble(all []assignment) (*config, error) {
	known := settingsByKey()
	c := defaultConfig()
	for _, a := range all {
		s, ok := known[a.key]
		if !ok {
			return nil, &configError{Origin: a.origin, Key: a.key, Err: unknownKey(a.key)}
		}
		if err := inTable(s, a); err != nil {
			return nil, &configError{Origin: a.origin, Key: a.key, Err: err}
		}
		if err := s.assign(c, a); err != nil {
			return nil, &configError{Origin: a.origin, Key: a.key, Err: err}
		}
		c.origins[a.place()] = a.origin
	}
	c.followRole()
	return c, nil
}

// fail makes the error of a setting of c.
func (c *config) fail(key string, err error) error {
	return &configError{Origin: c.origins[key], Key: key, Err: err}
}

func resolve(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
