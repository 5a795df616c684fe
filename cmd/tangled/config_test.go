package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tangled/node"
)

// goodConfig is a whole config without optional settings, 5 lines.
const goodConfig = `role = "middle"
data_dir = "data"
genesis = "../genesis.toml"
key = "node.key"
swarm_key = "/net/swarm.key"
`

// parseConfig is loadConfig of a file with this text and nothing else.
func parseConfig(text []byte, path string) (*config, error) {
	all, err := parseFile(text, path)
	if err != nil {
		return nil, err
	}
	c, err := assemble(all)
	if err != nil {
		return nil, err
	}
	return c, c.complete(path)
}

func TestConfigDefaults(t *testing.T) {
	c, err := parseConfig([]byte(goodConfig), "net/node1/tangled.toml")
	if err != nil {
		t.Fatal(err)
	}
	if c.Role != node.Middle || c.MQTT.Window != 256 || c.Storage.Cache != 64*mebibyte || c.API.Listen != "" {
		t.Errorf("got %+v", c)
	}
	for _, p := range [][2]string{
		{c.DataDir, "net/node1/data"}, {c.Genesis, "net/genesis.toml"},
		{c.Key, "net/node1/node.key"}, {c.SwarmKey, "/net/swarm.key"},
	} {
		if p[0] != p[1] {
			t.Errorf("path %q, want %q: relative ones start from the file's folder", p[0], p[1])
		}
	}
}

// Each refusal names the line, the key and the trouble. The lines count from
// after goodConfig, whose lines are 1 to 5.
func TestConfigRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		text string // after goodConfig
		want string // of the error
	}{
		"syntax":               {"\n[api\n", "f.toml:7: "},
		"key twice":            {"role = \"middle\"\n", "f.toml:6: "},
		"unknown key":          {"colour = 1\n", "f.toml:6: colour: unknown key"},
		"unknown key below":    {"[api]\nlisten = \"127.0.0.1:1\"\nport = 5\n", "f.toml:8: api.port: unknown key"},
		"key of other section": {"[api]\nmin_free = \"1GiB\"\n", "f.toml:7: api.min_free: unknown key; is storage.min_free meant?"},
		"unknown table":        {"\n\n[transport]\n", "f.toml:8: transport: unknown key"},
		"unknown inline":       {"api = { listen = \"\", x = 1 }\n", "f.toml:6: api.x: unknown key"},
		"array of tables":      {"[[api]]\nlisten = \"\"\n", "f.toml:6: api: unknown key"},
		"quoted key with dot":  {"\"api.listen\" = \"1.1.1.1:1\"\n", "f.toml:6: api.listen: 1.1.1.1:1 is not loopback"},
		"dotted key":           {"log.level = \"loud\"\n", "f.toml:6: log.level: \"loud\" is not"},
		"very deep key":        {strings.Repeat("a.", 50_000) + "a = 1\n", "f.toml:6: a.a.a.a.a"},
		"table for a value":    {"[gossip.open]\nx = true\n", "f.toml:7: gossip.open.x: unknown key"},

		"number for a string": {"[api]\nlisten = 7702\n", "f.toml:7: api.listen: 7702 is not a string"},
		"string for a number": {"[mqtt]\nwindow = \"5\"\n", "f.toml:7: mqtt.window: \"5\" is not a whole number"},
		"string for a bool":   {"[gossip]\nopen = \"true\"\n", "f.toml:7: gossip.open: \"true\" is not true or false"},
		"string in place of list": {"[gossip]\n\nlisten = 5\n",
			"f.toml:8: gossip.listen: 5 is not a list of strings"},
		"number in a list": {"[gossip]\nlisten = [5]\n", "f.toml:7: gossip.listen: element 1: 5 is not a string"},
		"window of 0":      {"[mqtt]\nwindow = 0\n", "f.toml:7: mqtt.window: 0 is not within 1..65535"},
		"window too large": {"[mqtt]\nwindow = 65536\n", "f.toml:7: mqtt.window: 65536 is not within 1..65535"},

		"no unit":       {"[storage]\ncache = \"64\"\n", "f.toml:7: storage.cache: size \"64\": want"},
		"decimal unit":  {"[storage]\ncache = \"64MB\"\n", "f.toml:7: storage.cache: size \"64MB\": want"},
		"bare number":   {"[storage]\ncache = 67108864\n", "f.toml:7: storage.cache: 67108864 is not a string"},
		"negative size": {"[storage]\nmin_free = \"-1MiB\"\n", "f.toml:7: storage.min_free: size"},
		"tiny min_free": {"[storage]\nmin_free = \"1KiB\"\n", "f.toml:7: storage.min_free: 1KiB is less than 1MiB"},
		"time unit":     {"[mqtt]\nwrite_timeout = \"5\"\n", "f.toml:7: mqtt.write_timeout: duration \"5\""},
		"days":          {"[mqtt]\nwrite_timeout = \"1d\"\n", "f.toml:7: mqtt.write_timeout: duration \"1d\""},
		"long timeout":  {"[mqtt]\nwrite_timeout = \"100h\"\n", "f.toml:7: mqtt.write_timeout: 100h0m0s is not within"},

		"log format":   {"[log]\nformat = \"xml\"\n", "f.toml:7: log.format: \"xml\" is not"},
		"no port":      {"[api]\nlisten = \"127.0.0.1\"\n", "f.toml:7: api.listen: \"127.0.0.1\" is not host:port"},
		"port range":   {"[api]\nlisten = \"127.0.0.1:65536\"\n", "f.toml:7: api.listen: "},
		"host name":    {"[api]\nlisten = \"example.org:80\"\n", "f.toml:7: api.listen: "},
		"open API":     {"[api]\nlisten = \"0.0.0.0:7702\"\n", "f.toml:7: api.listen: 0.0.0.0:7702 is not loopback"},
		"any API":      {"[api]\nlisten = \":7702\"\n", "f.toml:7: api.listen: "},
		"open MQTT":    {"[mqtt]\nlisten = \"10.0.0.1:1883\"\n", "f.toml:7: mqtt.listen: 10.0.0.1:1883 is not loopback"},
		"open metrics": {"[metrics]\nlisten = \"[::]:9100\"\n", "f.toml:7: metrics.listen: [::]:9100 is not loopback"},
		"one port for two": {"[mqtt]\nlisten = \"127.0.0.1:7\"\n[api]\nlisten = \"127.0.0.1:7\"\n",
			"f.toml:9: api.listen: 127.0.0.1:7 is what mqtt.listen listens on already"},

		"QUIC": {"[gossip]\nlisten = [\"/ip4/127.0.0.1/udp/1/quic-v1\"]\n",
			"f.toml:7: gossip.listen: element 1: multiaddr"},
		"peer without ID": {"[gossip]\npeers = [\n\"/ip4/127.0.0.1/tcp/1\"]\n",
			"f.toml:7: gossip.peers: element 1: peer \"/ip4/127.0.0.1/tcp/1\" does not end in /p2p/ID"},
		"peer over UDP": {"[gossip]\npeers = [\"/ip4/127.0.0.1/udp/1/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA\"]\n",
			"f.toml:7: gossip.peers: element 1: peer"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseConfig([]byte(goodConfig+c.text), "f.toml")
			if err == nil {
				t.Fatalf("accepted, want %q", c.want)
			}
			if !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got  %q\nwant %q", err, c.want)
			}
			if e := new(configError); !errors.As(err, &e) {
				t.Errorf("%T is not a *configError", err)
			}
		})
	}
}

func TestConfigMissing(t *testing.T) {
	lines := strings.SplitAfter(goodConfig, "\n")
	for i, key := range []string{"role", "data_dir", "genesis", "key", "swarm_key"} {
		text := strings.Join(lines[:i], "") + strings.Join(lines[i+1:], "")
		_, err := parseConfig([]byte(text), "f.toml")
		if want := "f.toml: " + key + ": missing"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// The first mistake in the file is the one told, whatever order a map has.
func TestConfigFirstMistake(t *testing.T) {
	text := []byte(goodConfig + "[mqtt]\nwindow = 0\n[api]\nb = 1\na = 1\n")
	for range 20 {
		if _, err := parseConfig(text, "f"); !strings.HasPrefix(err.Error(), "f:7: ") {
			t.Fatalf("got %v, want line 7", err)
		}
	}
}

func TestConfigPrecedence(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tangled.toml")
	text := goodConfig + "[log]\nlevel = \"warn\"\nformat = \"json\"\n[mqtt]\nwindow = 1\nmax_sessions = 1\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := []string{"HOME=/", "TANGLED_API=other:1", "TANGLED_LOG_LEVEL=error", "TANGLED_MQTT_WINDOW=2",
		"TANGLED_GOSSIP_LISTEN=/ip4/127.0.0.1/tcp/1,/ip6/::1/tcp/1", "TANGLED_DATA_DIR=here", "TANGLED_GOSSIP_OPEN=true"}
	c, err := loadConfig(path, environ, []string{"mqtt.window=3", "mqtt.write_timeout=2s"})
	if err != nil {
		t.Fatal(err)
	}
	if c.MQTT.Window != 3 || c.MQTT.MaxSessions != 1 || c.Log.Level.String() != "ERROR" || c.Log.Format != "json" ||
		len(c.Gossip.Listen) != 2 || c.DataDir != "here" || !c.Gossip.Open || c.MQTT.WriteTimeout != 2*time.Second {
		t.Errorf("got %+v", c)
	}
}

func TestConfigOtherRefusals(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tangled.toml")
	if err := os.WriteFile(path, []byte(goodConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ environ, set, want string }{
		{"TANGLED_API_LISTN=127.0.0.1:1", "", "environment TANGLED_API_LISTN: no setting has this variable"},
		{"TANGLED_MQTT_WINDOW=x", "", "environment TANGLED_MQTT_WINDOW: mqtt.window: \"x\" is not a whole number"},
		{"TANGLED_API_LISTEN=0.0.0.0:1", "", "environment TANGLED_API_LISTEN: api.listen: 0.0.0.0:1 is not loopback"},
		{"", "api.listn=1", "--set: api.listn: unknown key"},
		{"", "api.listen", "--set api.listen: want key=value"},
		{"", "gossip.open=yes", "--set: gossip.open: \"yes\" is not true or false"},
		{"", "data_dir=", "--set: data_dir: an empty path"},
	} {
		var sets []string
		if c.set != "" {
			sets = append(sets, c.set)
		}
		_, err := loadConfig(path, []string{c.environ}, sets)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestConfigNotAFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := loadConfig(dir, nil, nil); err == nil {
		t.Error("a directory was read as a config")
	}
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, bytes.Repeat([]byte("#"), int(maxConfigSize)+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadConfig(large, nil, nil); err == nil || !strings.Contains(err.Error(), "256KiB") {
		t.Errorf("got %v for a file beyond the limit", err)
	}
}

// FuzzConfig: a file is refused with the line, or is a config whose format is
// read back as the same config.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(goodConfig))
	f.Add([]byte(goodConfig + "[gossip]\nlisten = [\"/ip4/127.0.0.1/tcp/1\"]\nopen = true\n[log]\nlevel = \"debug\"\n"))
	f.Add([]byte(goodConfig + "[storage]\nlegal_hold = [\"a/#\"]\nretention = \"1h30m\"\n[[retention]]\ntopic = \"a\"\nkeep = \"24h\"\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := parseConfig(text, "f")
		if err != nil {
			e := new(configError)
			if !errors.As(err, &e) {
				t.Fatalf("%T is not a *configError: %v", err, err)
			}
			if oneLine(err) == "" {
				t.Fatal("an error without text")
			}
			return
		}
		formatted := c.format()
		again, err := parseConfig(formatted, "f")
		if err != nil {
			t.Fatalf("%v in\n%s", err, formatted)
		}
		if !bytes.Equal(again.format(), formatted) {
			t.Fatalf("changed from\n%s\nto\n%s", formatted, again.format())
		}
	})
}
