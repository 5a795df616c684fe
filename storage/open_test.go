package storage_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/prometheus/client_golang/prometheus"

	"tangled/message"
	"tangled/storage"
)

// helperEnv names the directory that the test binary, started again as a
// process of its own, is to write to.
const helperEnv = "TANGLED_STORAGE_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperEnv); dir != "" {
		if err := commitUntilKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// helperBatches is what the helper commits before it waits for its end.
const helperBatches, helperSize = 200, 5

func helperBatch(t testing.TB, i int) []storage.Record {
	var records []storage.Record
	for r := range helperSize {
		topic := fmt.Sprintf("helper/%d", (i+r)%7)
		records = append(records, newRecord(t, byte(r), uint64(1_000+i*helperSize+r), topic, bytes.Repeat([]byte{byte(i)}, 300)))
	}
	return records
}

// commitUntilKilled prints the number of batches acknowledged after each.
func commitUntilKilled(dir string) error {
	s, err := storage.Open(dir, network, storage.Options{})
	if err != nil {
		return err
	}
	for i := range helperBatches {
		if err := s.Commit(helperBatch(noTest{}, i)); err != nil {
			return err
		}
		fmt.Println(i + 1)
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// noTest lets the helper process use the fixtures.
type noTest struct{ testing.TB }

func (noTest) Helper()           {}
func (noTest) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

// Another process holds the directory, is killed in the middle of a write, and
// leaves behind all that it acknowledged.
func TestAnotherProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "store")
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"="+dir)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acked, lines := 0, bufio.NewScanner(out)
	for acked < helperBatches/4 && lines.Scan() {
		if acked, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatal(err)
		}
	}
	_, err = storage.Open(dir, network, storage.Options{})
	var locked *storage.LockedError
	if !errors.As(err, &locked) || locked.Dir != dir || locked.Err == nil {
		t.Errorf("open while another process holds it: %v, want a LockedError", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		if n, err := strconv.Atoi(lines.Text()); err == nil {
			acked = n
		}
	}
	_ = cmd.Wait() // it was killed

	s := openFor(t, vfs.Default, dir)
	batches := int(s.Count()) / helperSize
	if batches < acked || acked == 0 {
		t.Fatalf("%d batches found, %d acknowledged", batches, acked)
	}
	var m model
	for i := range batches {
		m = append(m, helperBatch(t, i)...)
	}
	m.verify(t, s)
}

func TestOpenLocked(t *testing.T) {
	disk := t.TempDir()
	for name, fs := range map[string]vfs.FS{dir: vfs.NewMem(), disk: vfs.Default} {
		s := mustOpen(t, fs, name)
		_, err := storage.Open(name, network, storage.Options{FS: fs})
		var locked *storage.LockedError
		if !errors.As(err, &locked) || locked.Dir != name || errors.Unwrap(locked) == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("open twice: %v, want a LockedError", err)
		}
		mustCommit(t, s, newBatches(t, 1, 4)[0])
		mustClose(t, s)
		model(newBatches(t, 1, 4)[0]).verify(t, openFor(t, fs, name))
	}
}

func TestOpenAnotherNetwork(t *testing.T) {
	fs := vfs.NewMem()
	m := model(newBatches(t, 1, 4)[0])
	s := mustOpen(t, fs, dir)
	mustCommit(t, s, m)
	mustClose(t, s)
	other := message.NetworkID{9}
	_, err := storage.Open(dir, other, storage.Options{FS: fs})
	var e *storage.NetworkError
	if !errors.As(err, &e) || e.Has != network || e.Want != other || e.Dir != dir {
		t.Errorf("open: %v, want a NetworkError", err)
	}
	m.verify(t, openFor(t, fs, dir)) // not locked any more, nothing lost
}

// A table of damage to the rows that Open reads.
func TestOpenDamagedRows(t *testing.T) {
	set := func(key, value string) func(*pebble.DB) error {
		return func(db *pebble.DB) error { return db.Set([]byte(key), []byte(value), pebble.Sync) }
	}
	remove := func(key string) func(*pebble.DB) error {
		return func(db *pebble.DB) error { return db.Delete([]byte(key), pebble.Sync) }
	}
	replace := func(old, by string) func(*pebble.DB) error {
		return func(db *pebble.DB) error { return errors.Join(remove(old)(db), set(by, "")(db)) }
	}
	older := func(damage func(*pebble.DB) error) func(*pebble.DB) error {
		return func(db *pebble.DB) error { return errors.Join(toVersion1(db), damage(db)) }
	}
	const one = "\x00\x00\x00\x00\x00\x00\x00\x01"
	for name, test := range map[string]struct {
		damage func(*pebble.DB) error
		table  byte
		key    string
	}{
		"short_format":       {set("vformat", "\x00\x01"), 'v', "format"},
		"long_format":        {set("vformat", "\x00\x00\x00\x01\x00"), 'v', "format"},
		"no_network":         {remove("vnetwork"), 'v', "network"},
		"short_network":      {set("vnetwork", "abc"), 'v', "network"},
		"short_count":        {set("vcount", "\x00\x01"), 'v', "count"},
		"short_topic_number": {set("ntshared", "\x00\x01"), 'n', "tshared"},
		"long_issuer_number": {set("nisomebody", "\x00\x00\x00\x01\x00"), 'n', "isomebody"},
		"number_left_out":    {set("ntzzz", "\x00\x00\x00\x09"), 'n', "tzzz"},
		"number_zero":        {set("ntzzz", "\x00\x00\x00\x00"), 'n', "tzzz"},
		"number_given_twice": {set("ntzzz", "\x00\x00\x00\x01"), 'n', "tzzz"},
		"no_state":           {remove("vstate"), 'v', "state"},
		"no_anchor":          {remove("vanchor"), 'v', "anchor"},
		"short_anchor":       {set("vanchor", "\x01"), 'v', "anchor"},
		"long_seeding":       {set("vseeding", "123456789"), 'v', "seeding"},
		"gap_key":            {set("g\x01", ""), 'g', "\x01"},
		"short_gap":          {set("g"+one, "12345678"), 'g', one},
		"gap_of_no_reason":   {set("g"+one, one+"\x04"), 'g', one},
		"gap_of_nothing":     {set("g"+one, "\x00\x00\x00\x00\x00\x00\x00\x00\x01"), 'g', one},
		"gap_from_zero":      {set("g\x00\x00\x00\x00\x00\x00\x00\x00", one+"\x01"), 'g', "\x00\x00\x00\x00\x00\x00\x00\x00"},
		"gap_above":          {set("g"+one, "\x00\x00\x00\x00\x00\x00\x00\x02\x01"), 'g', one},
		"v1_anchor_zero":     {older(replace("C"+one, "C\x00\x00\x00\x00\x00\x00\x00\x00")), 'C', "\x00\x00\x00\x00\x00\x00\x00\x00"},
		"v1_commitment_key":  {older(set("C"+one+"\x00", "")), 'C', one + "\x00"},
		"witness_key":        {set("w\xff", ""), 'w', "\xff"},
		"short_witness":      {set("w\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01", "123"), 'w', "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"},
		"replaced_key":       {set("r\x00", ""), 'r', "\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMem()
			s := mustOpen(t, fs, dir)
			mustCommit(t, s, newBatches(t, 1, 4)[0])
			if err := s.Finalise(storage.Finality{Anchor: 1}); err != nil {
				t.Fatal(err)
			}
			mustClose(t, s)
			withPebble(t, fs, dir, test.damage)
			for range 2 { // the first refusal leaves no lock behind
				_, err := storage.Open(dir, network, storage.Options{FS: fs})
				var e *storage.CorruptionError
				if !errors.As(err, &e) || e.Table != test.table || string(e.Key) != test.key || e.Err == nil {
					t.Fatalf("open: %v, want a CorruptionError of %q in %q", err, test.key, test.table)
				}
			}
		})
	}
}

// toVersion1 makes a store what release 1 would have left.
func toVersion1(db *pebble.DB) error {
	return errors.Join(
		db.Set([]byte("vformat"), []byte{0, 0, 0, 1}, pebble.Sync),
		db.Delete([]byte("vanchor"), pebble.Sync),
	)
}

// A store of version 1 is made one of version 2, whatever is in it and wherever a
// crash comes between.
func TestOpenVersion1(t *testing.T) {
	for _, n := range []int{0, 1, 2, 9} { // steps: 1 leaves no anchor
		st := newStory(t, 5)
		fs := vfs.NewCrashableMem()
		mustClose(t, tell(t, fs, st[:n]))
		withPebble(t, fs, dir, toVersion1)
		c := &crasher{fs: fs, rng: rand.New(rand.NewPCG(11, uint64(n))), when: func(errorfs.Op) bool { return true }}
		mustClose(t, mustOpen(t, errorfs.Wrap(fs, c), dir))
		for _, crash := range c.crashes {
			verifyStory(t, crash.fs, st, n)
		}
		verifyStory(t, fs, st, n)
	}
}

func TestOpenNewerFormat(t *testing.T) {
	fs := vfs.NewMem()
	mustClose(t, mustOpen(t, fs, dir))
	withPebble(t, fs, dir, func(db *pebble.DB) error {
		return db.Set([]byte("vformat"), []byte{0, 0, 0, 3}, pebble.Sync)
	})
	for range 2 {
		_, err := storage.Open(dir, network, storage.Options{FS: fs})
		var e *storage.FormatError
		if !errors.As(err, &e) || e.Has != 3 || e.Want != 2 || e.Dir != dir {
			t.Fatalf("open: %v, want a FormatError", err)
		}
	}
}

func TestOpenWhereAFileIs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "store")} {
		if _, err := storage.Open(dir, network, storage.Options{}); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("open %s: %v, want an error that names it", dir, err)
		}
	}
	if b, err := os.ReadFile(file); string(b) != "mine" {
		t.Errorf("the file is now %q, %v", b, err)
	}
}

// One registerer serves one store after another; two at a time are refused, as is
// anything else that has our names, and nothing of it is touched.
func TestOpenWithOneRegisterer(t *testing.T) {
	reg := prometheus.NewRegistry()
	opts := storage.Options{FS: vfs.NewMem(), Registerer: reg}
	count := func() float64 {
		t.Helper()
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "tangled_storage_final_messages_total" {
				return f.GetMetric()[0].GetCounter().GetValue()
			}
		}
		return -1
	}
	for i := range 3 {
		s, err := storage.Open(dir, network, opts)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := storage.Open("elsewhere", network, opts); !errors.As(err, new(prometheus.AlreadyRegisteredError)) {
			t.Errorf("a second store with the registerer: %v, want an AlreadyRegisteredError", err)
		}
		f := storage.Finality{Anchor: uint64(i + 1), Included: []storage.FinalMessage{{ID: message.NewID(1, [32]byte{byte(i)})}}}
		if err := s.Finalise(f); err != nil {
			t.Fatal(err)
		}
		if got := count(); got != 1 {
			t.Errorf("%v final messages counted, want 1", got)
		}
		mustClose(t, s)
		mustClose(t, s)
		if got := count(); got != -1 {
			t.Errorf("the metrics are still there after Close: %v", got)
		}
	}
	// A store that cannot be opened leaves none behind, and no lock.
	for range 2 {
		if _, err := storage.Open(dir, message.NetworkID{9}, opts); !errors.As(err, new(*storage.NetworkError)) {
			t.Errorf("open: %v, want a NetworkError", err)
		}
	}
	mustClose(t, mustOpen(t, opts.FS, "elsewhere"))
	// Neither does one that finds the last of its names taken.
	last := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "tangled_storage_final_messages_total",
		Help: "Messages made durable as final.",
	})
	reg.MustRegister(last)
	if _, err := storage.Open(dir, network, opts); !errors.As(err, new(prometheus.AlreadyRegisteredError)) {
		t.Errorf("open where a name is taken: %v, want an AlreadyRegisteredError", err)
	}
	if !reg.Unregister(last) {
		t.Error("another's metric was unregistered")
	}
	s, err := storage.Open(dir, network, opts)
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
}

// Tables without a manifest are no empty store: to begin one there would delete them.
func TestOpenRefusesHeadless(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, fs, dir)
	mustCommit(t, s, []storage.Record{newRecord(t, 1, 1_000, "headless", nil)})
	if err := s.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasPrefix(name, "marker.manifest") {
			if err := fs.Remove(fs.PathJoin(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	var damaged *storage.CorruptionError
	if _, err := storage.Open(dir, network, storage.Options{FS: fs}); !errors.As(err, &damaged) {
		t.Errorf("error %v, want a *storage.CorruptionError", err)
	}
	after, err := fs.List(dir)
	if err != nil || len(after) < len(names)-1 {
		t.Errorf("%d files of %d are left, %v", len(after), len(names)-1, err)
	}
}
