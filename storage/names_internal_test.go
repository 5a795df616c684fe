package storage

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A query that matches names neither holds up a commit that brings new ones, in
// whatever state of its work, nor sees some of them.
func TestNamesAreMatchedWithoutTheLock(t *testing.T) {
	db, err := pebble.Open("", &pebble.Options{FS: vfs.NewMem(), Logger: pebbleLogger{log: slog.New(slog.DiscardHandler)}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var n names
	if err := n.load(db, 't'); err != nil {
		t.Fatal(err)
	}
	b := db.NewBatch()
	defer b.Close()
	for i := range 100 {
		n.number(b, fmt.Sprint("old/", i))
	}
	seen := 0
	numbers := n.matching(func(name string) bool {
		n.number(b, fmt.Sprint("new/", name)) // takes the lock
		seen++
		return name == "old/7" || name == "old/93"
	})
	if seen != 100 || len(numbers) != 2 || numbers[0] != 8 || numbers[1] != 94 {
		t.Errorf("%d names seen, numbers %v; want the 100 old ones, 8 and 94", seen, numbers)
	}
}
