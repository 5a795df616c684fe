package node

import (
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// smallDisk is a file system that says how much room it has.
type smallDisk struct {
	vfs.FS
	free uint64
}

func (d *smallDisk) set(free uint64) { atomic.StoreUint64(&d.free, free) }

func (d *smallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: atomic.LoadUint64(&d.free)}, nil
}
