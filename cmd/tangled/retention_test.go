package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tangled/node"
)

// permanodeConfig is goodConfig for a permanode, 5 lines too.
var permanodeConfig = strings.Replace(goodConfig, `"middle"`, `"permanode"`, 1)

func TestRetentionDefaults(t *testing.T) {
	for _, c := range []struct {
		text string
		want keepTime
	}{
		{goodConfig, keepTime(672 * time.Hour)},
		{permanodeConfig, forever},
		{goodConfig + "[storage]\nretention = \"forever\"\n", forever},
		{permanodeConfig + "[storage]\nretention = \"forever\"\n", forever},
		{goodConfig + "[storage]\nretention = \"48h\"\n", keepTime(48 * time.Hour)},
	} {
		got, err := parseConfig([]byte(c.text), "f.toml")
		if err != nil {
			t.Errorf("%v in\n%s", err, c.text)
			continue
		}
		if got.Storage.Retention != c.want {
			t.Errorf("retention %v, want %v in\n%s", got.Storage.Retention, c.want, c.text)
		}
		if got.Storage.MaxDisk != 0 || got.Storage.SnapshotKeep != 3 || time.Duration(got.Storage.SnapshotInterval) != time.Hour {
			t.Errorf("storage %+v", got.Storage)
		}
	}
}

func TestRetentionTables(t *testing.T) {
	c, err := parseConfig([]byte(goodConfig+`[storage]
legal_hold = ["court/#", "city/7/+"]
max_disk = "2GiB"
snapshot_interval = "90s"
[[retention]]
topic = "city/+/cctv/#"
keep = "24h"
[[retention]]
keep = "8760h"
topic = "city/deeds"
`), "f.toml")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Topics) != 2 || c.Topics[0].Topic.String() != "city/+/cctv/#" || c.Topics[0].Keep != keepTime(24*time.Hour) ||
		c.Topics[1].Topic.String() != "city/deeds" || c.Topics[1].Keep != keepTime(8760*time.Hour) {
		t.Errorf("tables %+v", c.Topics)
	}
	if h := c.Storage.LegalHold; len(h) != 2 || h[0].String() != "court/#" || h[1].String() != "city/7/+" {
		t.Errorf("legal hold %v", h)
	}
	if c.Storage.MaxDisk != limit(2048*mebibyte) || time.Duration(c.Storage.SnapshotInterval) != 90*time.Second {
		t.Errorf("storage %+v", c.Storage)
	}
	again, err := parseConfig(c.format(), "f.toml")
	if err != nil {
		t.Fatalf("%v in\n%s", err, c.format())
	}
	if string(again.format()) != string(c.format()) || len(again.Topics) != 2 {
		t.Errorf("read back as\n%s\nwant\n%s", again.format(), c.format())
	}
}

// The lines count from after goodConfig, whose lines are 1 to 5.
func TestRetentionRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		head, text, want string
	}{
		"days":             {goodConfig, "[storage]\nretention = \"28d\"\n", "f.toml:7: storage.retention: \"28d\": want a number and a unit"},
		"no unit":          {goodConfig, "[storage]\nretention = \"672\"\n", "f.toml:7: storage.retention: \"672\": want"},
		"number":           {goodConfig, "[storage]\nretention = 672\n", "f.toml:7: storage.retention: 672 is not a string"},
		"negative":         {goodConfig, "[storage]\nretention = \"-1h\"\n", "f.toml:7: storage.retention: -1h is not within 1s..876000h"},
		"endless":          {goodConfig, "[storage]\nretention = \"1000000h\"\n", "f.toml:7: storage.retention: "},
		"at the top":       {goodConfig, "retention = \"672h\"\n", "f.toml:6: retention: unknown key; is storage.retention meant?"},
		"one table":        {goodConfig, "[retention]\ntopic = \"a\"\nkeep = \"24h\"\n", "f.toml:7: retention.topic: this stands in a file, under [[retention]]"},
		"max_disk":         {goodConfig, "[storage]\nmax_disk = \"10GB\"\n", "f.toml:7: storage.max_disk: size \"10GB\": want"},
		"small max_disk":   {goodConfig, "[storage]\nmax_disk = \"1MiB\"\n", "f.toml:7: storage.max_disk: 1MiB is less than 64MiB"},
		"interval":         {goodConfig, "[storage]\nsnapshot_interval = \"0\"\n", "f.toml:7: storage.snapshot_interval: 0s is not within 1s..720h"},
		"no snapshot":      {goodConfig, "[storage]\nsnapshot_keep = 0\n", "f.toml:7: storage.snapshot_keep: 0 is not within 1..1000"},
		"hold":             {goodConfig, "[storage]\nlegal_hold = [\"a\", \"a/#/b\"]\n", "f.toml:7: storage.legal_hold: element 2: "},
		"filter of table":  {goodConfig, "[[retention]]\ntopic = \"a+\"\nkeep = \"24h\"\n", "f.toml:7: retention.topic: "},
		"keep of table":    {goodConfig, "[[retention]]\ntopic = \"a\"\n\nkeep = \"24\"\n", "f.toml:9: retention.keep: \"24\": want"},
		"of second table":  {goodConfig, "[[retention]]\ntopic = \"a\"\nkeep = \"24h\"\n[[retention]]\nkeep = 5\n", "f.toml:10: retention.keep: 5 is not a string"},
		"unknown key":      {goodConfig, "[[retention]]\ntopic = \"a\"\nkeep = \"24h\"\nsize = 5\n", "f.toml:9: retention.size: unknown key"},
		"without keep":     {goodConfig, "[[retention]]\ntopic = \"a\"\n", "f.toml:7: retention: keep is missing in this [[retention]] table"},
		"without topic":    {goodConfig, "[[retention]]\nkeep = \"24h\"\n", "f.toml:7: retention: topic is missing in this"},
		"second has none":  {goodConfig, "[[retention]]\ntopic = \"a\"\nkeep = \"24h\"\n[[retention]]\ntopic = \"b\"\n", "f.toml:10: retention: keep is missing"},
		"empty table":      {goodConfig, "[[retention]]\n", "f.toml:6: retention: unknown key"},
		"topic twice":      {goodConfig, "[[retention]]\ntopic = \"a\"\nkeep = \"24h\"\n[[retention]]\nkeep = \"48h\"\ntopic = \"a\"\n", "f.toml:11: retention: \"a\" has a [[retention]] table already"},
		"inline":           {goodConfig, "retention = [{ topic = \"a\", keep = \"1d\" }]\n", "f.toml:6: retention.keep: \"1d\": want"},
		"permanode":        {permanodeConfig, "[storage]\nretention = \"672h\"\n", "f.toml:7: storage.retention: 672h: a permanode deletes nothing"},
		"permanode's disk": {permanodeConfig, "[storage]\nmax_disk = \"1GiB\"\n", "f.toml:7: storage.max_disk: 1GiB: this node keeps everything"},
		"permanode topic":  {permanodeConfig, "[[retention]]\ntopic = \"a\"\nkeep = \"24h\"\n", "f.toml:8: retention: this node keeps everything"},
		"forever and disk": {goodConfig, "[storage]\nretention = \"forever\"\nmax_disk = \"1GiB\"\n", "f.toml:8: storage.max_disk: 1GiB: this node keeps everything"},
		"topic for ever":   {goodConfig, "[[retention]]\ntopic = \"a\"\nkeep = \"forever\"\n", "f.toml:8: retention: to keep a topic for ever, name it in storage.legal_hold"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseConfig([]byte(c.head+c.text), "f.toml")
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// TestRetentionWindow: what the live part of the DAG stands on must stay, which
// only the genesis tells.
func TestRetentionWindow(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"[storage]\nretention = \"59m\"\n", "f.toml:7: storage.retention: 59m: want at least twice the network's window of 30m0s"},
		{"[storage]\nretention = \"1h\"\n", ""},
		{"[[retention]]\ntopic = \"a\"\nkeep = \"59m59s\"\n", "f.toml:8: retention: 59m59s: want at least twice"},
		{"[[retention]]\ntopic = \"a\"\nkeep = \"1h\"\n[[retention]]\ntopic = \"b\"\nkeep = \"2h\"\n", ""},
	} {
		got, err := parseConfig([]byte(goodConfig+c.text), "f.toml")
		if err != nil {
			t.Fatal(err)
		}
		err = got.checkWindow(30 * time.Minute)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

func TestRetentionPrecedence(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tangled.toml")
	if err := os.WriteFile(path, []byte(goodConfig+"[storage]\nretention = \"48h\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := loadConfig(path, []string{"TANGLED_STORAGE_RETENTION=forever", "TANGLED_STORAGE_MAX_DISK=1GiB"},
		[]string{"storage.legal_hold=a/#,b", "storage.snapshot_keep=5", "role=permanode", "storage.max_disk=0"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Role != node.Permanode || c.Storage.Retention != forever || c.Storage.MaxDisk != 0 || len(c.Storage.LegalHold) != 2 || c.Storage.SnapshotKeep != 5 {
		t.Errorf("got %+v", c.Storage)
	}
	for _, o := range []struct{ environ, set, want string }{
		{"TANGLED_RETENTION_KEEP=1h", "", "environment TANGLED_RETENTION_KEEP: no setting has this variable"},
		{"", "retention.keep=1h", "--set: retention.keep: this stands in a file, under [[retention]]"},
		{"", "role=permanode", path + ":7: storage.retention: 48h: a permanode deletes nothing"},
	} {
		var sets []string
		if o.set != "" {
			sets = []string{o.set}
		}
		if _, err := loadConfig(path, []string{o.environ}, sets); err == nil || !strings.HasPrefix(err.Error(), o.want) {
			t.Errorf("got %v, want %s", err, o.want)
		}
	}
}

// TestRetentionOfNewNodes: init writes the default of each role, as what it is.
func TestRetentionOfNewNodes(t *testing.T) {
	for role, want := range map[node.Role]string{
		node.Middle:    "# retention = \"672h\"\n",
		node.Permanode: "# retention = \"forever\"\n",
	} {
		c := defaultConfig()
		c.Role = role
		c.followRole()
		if text := string(c.format()); !strings.Contains(text, want) || !strings.Contains(text, "# [[retention]]\n") {
			t.Errorf("%s: no %q in\n%s", role, want, text)
		}
	}
}
