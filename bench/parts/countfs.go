package parts

import (
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// countingFS counts what is written to a file system.
type countingFS struct {
	vfs.FS
	written *atomic.Uint64 // bytes
}

// Create implements [vfs.FS].
func (fs countingFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.Create(name, category)
	return fs.count(f, err)
}

// OpenReadWrite implements [vfs.FS].
func (fs countingFS) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := fs.FS.OpenReadWrite(name, category, opts...)
	return fs.count(f, err)
}

// ReuseForWrite implements [vfs.FS].
func (fs countingFS) ReuseForWrite(from, to string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.ReuseForWrite(from, to, category)
	return fs.count(f, err)
}

// Unwrap implements [vfs.FS].
func (fs countingFS) Unwrap() vfs.FS { return fs.FS }

func (fs countingFS) count(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return countingFile{f, fs.written}, nil
}

type countingFile struct {
	vfs.File
	written *atomic.Uint64
}

// Write implements [vfs.File].
func (f countingFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.written.Add(uint64(n))
	return n, err
}

// WriteAt implements [vfs.File].
func (f countingFile) WriteAt(p []byte, at int64) (int, error) {
	n, err := f.File.WriteAt(p, at)
	f.written.Add(uint64(n))
	return n, err
}
