package storage

import (
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/internal/bubbletest"
	"tangled/message"
)

// write makes a file of a category on a paced file system and tells how long it
// took to write this many bytes to it.
func write(t *testing.T, p *flushPace, category vfs.DiskWriteCategory, size int) time.Duration {
	t.Helper()
	f, err := pacedFS{FS: vfs.NewMem(), pace: p}.Create("table", category)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	start := time.Now()
	for range size / 4096 {
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			t.Fatal(err)
		}
	}
	return time.Since(start)
}

func TestFlushesTakeTheirTime(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		var p flushPace
		p.flushBegins()
		if took := write(t, &p, flushCategory, flushRate); took != 0 {
			t.Errorf("a flush while the log is replayed took %v, want no pause", took)
		}
		p.begin()
		p.flushBegins()
		if took := write(t, &p, flushCategory, flushRate); took != time.Second {
			t.Errorf("a flush of a second's bytes took %v", took)
		}
		if took := write(t, &p, "pebble-compaction", flushRate); took != 0 {
			t.Errorf("a compaction took %v, want no pause", took)
		}
		p.end()
		p.flushBegins()
		if took := write(t, &p, flushCategory, flushRate); took != 0 {
			t.Errorf("a flush of a store that closes took %v, want no pause", took)
		}
	})
}

func TestAFlushThatIsWaitedForHurries(t *testing.T) {
	for name, hasten := range map[string]func(*flushPace){"memtable full": (*flushPace).memtableFull, "closing": (*flushPace).end} {
		t.Run(name, func(t *testing.T) {
			bubbletest.Run(t, func(t *testing.T) {
				var p flushPace
				p.begin()
				p.flushBegins()
				const after = 100*time.Millisecond + time.Microsecond // within a pause
				time.AfterFunc(after, func() { hasten(&p) })
				if took := write(t, &p, flushCategory, flushRate); took != after {
					t.Errorf("it took %v, want %v", took, after)
				}
			})
		})
	}
}

// categories notes what files are created under.
type categories struct {
	vfs.FS
	mu   sync.Mutex
	seen map[vfs.DiskWriteCategory]int
}

func (c *categories) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	c.mu.Lock()
	c.seen[category]++
	c.mu.Unlock()
	return c.FS.Create(name, category)
}

// Pebble does not promise the name of the category, nor when it tells of a flush.
func TestPebbleTellsOfItsFlushes(t *testing.T) {
	fs := &categories{FS: vfs.NewMem(), seen: make(map[vfs.DiskWriteCategory]int)}
	s, err := Open("db", message.NetworkID{1}, Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.db.Set([]byte{0xff}, nil, pebble.Sync); err != nil {
		t.Fatal(err)
	}
	fs.mu.Lock()
	before := fs.seen[flushCategory]
	fs.mu.Unlock()
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.seen[flushCategory] == before {
		t.Errorf("no file of a flush among %v", fs.seen)
	}
	s.pace.mu.Lock()
	defer s.pace.mu.Unlock()
	if s.pace.hurry == nil {
		t.Error("the pace was not told of the flush")
	}
}
