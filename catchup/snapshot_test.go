package catchup

import (
	"bytes"
	"errors"
	"testing"
)

func snapshotChain(t *testing.T) *chain {
	c := mixed(t)
	c.file = make([]byte, 2*maxPart+1000)
	for i := range c.file {
		c.file[i] = byte(i ^ i>>8)
	}
	c.info = SnapshotInfo{Index: 4, Size: uint64(len(c.file)), Digest: [32]byte{1}}
	return c
}

func TestSnapshot(t *testing.T) {
	c := snapshotChain(t)
	for _, offset := range []int{0, 1, maxPart, len(c.file) - 1, len(c.file)} {
		var got bytes.Buffer
		next, err := c.client(nil).Snapshot(t.Context(), c.info, uint64(offset), &got)
		if err != nil || next != uint64(len(c.file)) || !bytes.Equal(got.Bytes(), c.file[offset:]) {
			t.Errorf("from %d: to %d with %d bytes, %v", offset, next, got.Len(), err)
		}
	}
}

// A download that broke off goes on where it stopped.
func TestSnapshotResumes(t *testing.T) {
	c := snapshotChain(t)
	var got bytes.Buffer
	gone := c.client(func(q request, reply []byte) []byte {
		if q.offset >= maxPart {
			return []byte{statusNotHere}
		}
		return reply
	})
	next, err := gone.Snapshot(t.Context(), c.info, 0, &got)
	if next != maxPart || !errors.Is(err, ErrNotHere) {
		t.Fatalf("stopped at %d, %v", next, err)
	}
	if next, err = c.client(nil).Snapshot(t.Context(), c.info, next, &got); err != nil || next != c.info.Size {
		t.Fatalf("stopped at %d, %v", next, err)
	}
	if !bytes.Equal(got.Bytes(), c.file) {
		t.Error("not the file")
	}
}

func TestSnapshotLies(t *testing.T) {
	c := snapshotChain(t)
	edited := func(change func(*part)) func(request, []byte) []byte {
		return func(_ request, reply []byte) []byte {
			p, err := decodePart(reply[1:])
			if err != nil {
				t.Fatal(err)
			}
			change(&p)
			return p.append([]byte{statusHere})
		}
	}
	for name, lie := range map[string]func(request, []byte) []byte{
		"another size": edited(func(p *part) { p.size++ }),
		"short part":   edited(func(p *part) { p.bytes = p.bytes[1:] }),
		"no bytes":     edited(func(p *part) { p.bytes = nil }),
		"long part":    edited(func(p *part) { p.bytes = append(p.bytes, 0) }),
		"no part":      raw(kindSnapshot, []byte{statusHere}),
	} {
		var got bytes.Buffer
		next, err := c.client(lie).Snapshot(t.Context(), c.info, 0, &got)
		var invalid *InvalidError
		if !errors.As(err, &invalid) || next != 0 || got.Len() > 0 {
			t.Errorf("%s: at %d, %v; want an *InvalidError before anything is written", name, next, err)
		}
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write(p []byte) (int, error) { return 7, w.err }

func TestSnapshotWriterFails(t *testing.T) {
	c := snapshotChain(t)
	full := errors.New("disk full")
	next, err := c.client(nil).Snapshot(t.Context(), c.info, 5, failingWriter{full})
	if next != 12 || !errors.Is(err, full) {
		t.Errorf("at %d, %v", next, err)
	}
}

// A part that the disk cut short is not sent.
func TestSnapshotFileCutShort(t *testing.T) {
	c := snapshotChain(t)
	src := c.source()
	src.ReadSnapshot = func(_, _ uint64, p []byte) (int, uint64, error) { return 10, 20, nil }
	for _, offset := range []uint64{0, 30} {
		reply, err := Serve(t.Context(), src, request{kind: kindSnapshot, anchor: 4, offset: offset}.encode())
		if err != nil || !bytes.Equal(reply, []byte{statusNotHere}) {
			t.Errorf("at %d: % x, %v", offset, reply, err)
		}
	}
}
