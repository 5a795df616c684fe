package snapshot

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	namePrefix = "snapshot-"
	nameSuffix = ".tsnap"
	tempSuffix = ".tmp"
)

// Entry is a snapshot file in a folder, by its name.
type Entry struct {
	Index uint64 // j
	Path  string
	Size  int64 // bytes
}

// Name is the name of the file of anchor index: snapshot-000000000123.tsnap. Up to
// 10^12 anchors, names sort as the anchors do.
func Name(index uint64) string { return fmt.Sprintf("%s%012d%s", namePrefix, index, nameSuffix) }

// ParseName is the index that Name made a name of; ok is false for any other.
func ParseName(name string) (index uint64, ok bool) {
	digits, hasPrefix := strings.CutPrefix(name, namePrefix)
	digits, hasSuffix := strings.CutSuffix(digits, nameSuffix)
	if !hasPrefix || !hasSuffix {
		return 0, false
	}
	index, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || Name(index) != name {
		return 0, false
	}
	return index, true
}

// List is the snapshots in dir, ascending by index; none where there is no dir.
// Whatever else is there is passed over.
func List(dir string) ([]Entry, error) {
	files, err := readDir(dir)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for _, file := range files {
		index, ok := ParseName(file.Name())
		if !ok || !file.Type().IsRegular() {
			continue
		}
		info, err := file.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("list snapshots: %w", err)
		}
		entries = append(entries, Entry{Index: index, Path: filepath.Join(dir, file.Name()), Size: info.Size()})
	}
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Index, b.Index) })
	return entries, nil
}

// Clean removes from dir what calls of WriteFile left behind that were killed. None
// may be running there.
func Clean(dir string) error {
	files, err := readDir(dir)
	if err != nil {
		return err
	}
	for _, file := range files {
		name := file.Name()
		if !strings.HasPrefix(name, namePrefix) || !strings.HasSuffix(name, tempSuffix) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("clean up snapshots: %w", err)
		}
	}
	return nil
}

func readDir(dir string) ([]fs.DirEntry, error) {
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	return files, nil
}
