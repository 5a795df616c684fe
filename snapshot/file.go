package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// WriteFile makes the snapshot of src under path, in a folder that is there. It is
// written under another name beside it, synced and renamed: under path there is
// either what was there before or the whole snapshot, whenever the machine stops.
// Clean finds what may be left behind then, if the file was to have a name of Name.
func WriteFile(ctx context.Context, path string, src Source) (Info, error) {
	return writeFile(ctx, osDisk(), path, src)
}

// ReadFile reads the snapshot under path as Read does.
func ReadFile(ctx context.Context, path string, options ReadOptions, sink Sink) (Info, error) {
	f, err := os.Open(path)
	if err != nil {
		return Info{}, fmt.Errorf("read snapshot: %w", err)
	}
	defer f.Close()
	return Read(ctx, f, options, sink)
}

// file is what is asked of a file that is being written.
type file interface {
	io.WriteCloser
	Name() string
	Sync() error
}

// disk is what WriteFile does to the disk: the seam where tests let it fail.
type disk struct {
	create  func(dir, pattern string) (file, error) // as os.CreateTemp
	rename  func(from, to string) error
	remove  func(path string) error
	syncDir func(dir string) error
}

func osDisk() disk {
	return disk{
		create:  func(dir, pattern string) (file, error) { return os.CreateTemp(dir, pattern) },
		rename:  os.Rename,
		remove:  os.Remove,
		syncDir: syncDir,
	}
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func writeFile(ctx context.Context, d disk, path string, src Source) (Info, error) {
	dir, base := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	f, err := d.create(dir, base+".*"+tempSuffix)
	if err != nil {
		return Info{}, fmt.Errorf("write snapshot: %w", err)
	}
	info, err := fillFile(ctx, f, src)
	if err == nil {
		err = d.rename(f.Name(), path)
	}
	if err != nil {
		// What cannot be removed is for Clean.
		return Info{}, errors.Join(err, d.remove(f.Name()))
	}
	if err := d.syncDir(dir); err != nil {
		return Info{}, fmt.Errorf("write snapshot: %w", err)
	}
	return info, nil
}

// fillFile writes, syncs and closes f.
func fillFile(ctx context.Context, f file, src Source) (Info, error) {
	info, err := Write(ctx, f, src)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return info, err
}
