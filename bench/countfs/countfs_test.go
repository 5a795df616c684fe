package countfs_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/bench/countfs"
)

func TestFS(t *testing.T) {
	fs := countfs.New(vfs.NewMem())
	write := func(f vfs.File, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(make([]byte, 10), 0); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	write(fs.Create("a", "test"))
	write(fs.OpenReadWrite("a", "test"))
	write(fs.ReuseForWrite("a", "b", "test"))
	if got := fs.Written(); got != 330 {
		t.Errorf("counted %d bytes, want 330", got)
	}
	if _, err := fs.OpenReadWrite("none/such", "test"); err == nil {
		t.Error("opened a file that is not there")
	}
}
