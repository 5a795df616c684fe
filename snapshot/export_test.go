package snapshot

import "context"

// The sizes of the format, for tests that write it out themselves.
const (
	BlockSize = blockSize
	MaxStored = maxStored
	MaxIndex  = maxIndex
)

// WriteFileHooked is WriteFile that asks before each operation on the disk
// whether it may go on. A write that may not writes half.
func WriteFileHooked(ctx context.Context, path string, src Source, hook func(operation string) error) error {
	d := osDisk()
	real := d
	d.create = func(dir, pattern string) (file, error) {
		if err := hook("create"); err != nil {
			return nil, err
		}
		f, err := real.create(dir, pattern)
		return &hookedFile{f, hook}, err
	}
	d.rename = func(from, to string) error {
		if err := hook("rename"); err != nil {
			return err
		}
		return real.rename(from, to)
	}
	d.remove = func(path string) error {
		if err := hook("remove"); err != nil {
			return err
		}
		return real.remove(path)
	}
	d.syncDir = func(dir string) error {
		if err := hook("sync folder"); err != nil {
			return err
		}
		return real.syncDir(dir)
	}
	_, err := writeFile(ctx, d, path, src)
	return err
}

type hookedFile struct {
	file
	hook func(string) error
}

func (f *hookedFile) Write(b []byte) (int, error) {
	if err := f.hook("write"); err != nil {
		n, _ := f.file.Write(b[:len(b)/2])
		return n, err
	}
	return f.file.Write(b)
}

func (f *hookedFile) Sync() error {
	if err := f.hook("sync"); err != nil {
		return err
	}
	return f.file.Sync()
}

func (f *hookedFile) Close() error {
	if err := f.hook("close"); err != nil {
		f.file.Close()
		return err
	}
	return f.file.Close()
}
