package storage

import (
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// flushRate is how many bytes a second a flush writes while nobody waits for
	// it. Unpaced, it takes a core for as long as it lasts, and every message
	// that arrives meanwhile waits its turn behind it; nodes that share a machine
	// fill their memtables, and so flush, at the same time.
	flushRate = 8 << 20
	// flushPiece is how many bytes are written between two pauses.
	flushPiece = 64 << 10
	// flushCategory is what Pebble creates the tables of a flush under.
	flushCategory vfs.DiskWriteCategory = "pebble-memtable-flush"
)

// pacedFS is a file system on which flushes of memtables take their time.
type pacedFS struct {
	vfs.FS
	pace *flushPace
}

// Create implements [vfs.FS].
func (fs pacedFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.Create(name, category)
	if err != nil || category != flushCategory {
		return f, err
	}
	return &pacedFile{File: f, pace: fs.pace}, nil
}

// Unwrap implements [vfs.FS].
func (fs pacedFS) Unwrap() vfs.FS { return fs.FS }

type pacedFile struct {
	vfs.File
	pace  *flushPace
	ahead int // bytes written since the last pause
}

// Write implements [vfs.File].
func (f *pacedFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	if f.ahead += n; f.ahead >= flushPiece {
		f.pace.pause(time.Duration(f.ahead) * time.Second / flushRate)
		f.ahead = 0
	}
	return n, err
}

// flushPace is the pace of the flush under way. It may take its time while the
// memtable that takes the writes has room; when that is full too, writers will
// soon wait for the flush. The zero value never pauses, as while the log is
// replayed.
type flushPace struct {
	mu    sync.Mutex
	paced bool
	hurry chan struct{} // closed when the flush under way should end
}

// begin lets flushes take their time from now on.
func (p *flushPace) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paced = true
}

// end lets no flush take its time any more.
func (p *flushPace) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paced = false
	p.hasten()
}

// flushBegins is told when a flush begins.
func (p *flushPace) flushBegins() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hasten()
	if p.paced {
		p.hurry = make(chan struct{})
	}
}

// memtableFull is told when one more memtable waits to be flushed. If a flush is
// under way, the memtable is not the one being flushed.
func (p *flushPace) memtableFull() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hasten()
}

// hasten ends the pauses of the flush under way.
func (p *flushPace) hasten() {
	if p.hurry != nil {
		close(p.hurry)
		p.hurry = nil
	}
}

// pause waits for d, or until the flush should end.
func (p *flushPace) pause(d time.Duration) {
	p.mu.Lock()
	hurry := p.hurry
	p.mu.Unlock()
	if hurry == nil {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-hurry:
	}
}
