// Package countfs is a file system that counts what is written to it: from that and
// the bytes of what was stored follows the write amplification.
package countfs

import (
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// FS counts what is written through it to another file system. Copies count
// together.
type FS struct {
	vfs.FS
	written *atomic.Uint64
}

// New counts what is written to under from now on.
func New(under vfs.FS) FS { return FS{under, new(atomic.Uint64)} }

// Written is how many bytes were written to files.
func (fs FS) Written() uint64 { return fs.written.Load() }

// Create implements [vfs.FS].
func (fs FS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.Create(name, category)
	return fs.count(f, err)
}

// OpenReadWrite implements [vfs.FS].
func (fs FS) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := fs.FS.OpenReadWrite(name, category, opts...)
	return fs.count(f, err)
}

// ReuseForWrite implements [vfs.FS].
func (fs FS) ReuseForWrite(from, to string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.ReuseForWrite(from, to, category)
	return fs.count(f, err)
}

// Unwrap implements [vfs.FS].
func (fs FS) Unwrap() vfs.FS { return fs.FS }

func (fs FS) count(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return file{f, fs.written}, nil
}

type file struct {
	vfs.File
	written *atomic.Uint64
}

// Write implements [vfs.File].
func (f file) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.written.Add(uint64(n))
	return n, err
}

// WriteAt implements [vfs.File].
func (f file) WriteAt(p []byte, at int64) (int, error) {
	n, err := f.File.WriteAt(p, at)
	f.written.Add(uint64(n))
	return n, err
}
