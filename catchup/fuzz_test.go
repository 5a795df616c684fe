package catchup

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"tangled/proof"
)

// checkFuzz holds a codec to: what decodes encodes to the same bytes, what does not
// is an *InvalidError.
func checkFuzz(t *testing.T, b []byte, err error, encode func() []byte) {
	t.Helper()
	var invalid *InvalidError
	switch {
	case err == nil:
		if again := encode(); !bytes.Equal(again, b) {
			t.Fatalf("% x decodes and encodes to % x", b, again)
		}
	case !errors.As(err, &invalid) || invalid.Reason == "" || invalid.Err == nil:
		t.Fatalf("error %v is no *InvalidError", err)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add(request{kind: kindStatus}.encode())
	f.Add(request{kind: kindAnchors, anchor: 1, index: 2, until: 3}.encode())
	f.Add(request{kind: kindBodies, anchor: 1, index: 2, until: 3}.encode())
	f.Add(request{kind: kindSnapshot, anchor: 1, offset: 2}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := decodeRequest(b)
		checkFuzz(t, b, err, q.encode)
	})
}

// replies are what a peer with the chain of mixed says.
func replies(f *testing.F, queries ...request) (c *chain, out [][]byte) {
	c = mixed(f)
	for _, q := range queries {
		reply, err := c.serve(context.Background(), q.encode())
		if err != nil {
			f.Fatal(err)
		}
		out = append(out, reply[1:])
	}
	return c, out
}

func FuzzStatus(f *testing.F) {
	_, seeds := replies(f, request{kind: kindStatus})
	f.Add(seeds[0])
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeStatus(b)
		checkFuzz(t, b, err, func() []byte { return s.append(nil) })
	})
}

func FuzzPage(f *testing.F) {
	_, seeds := replies(f, request{kind: kindAnchors, anchor: 1, until: 1}, request{kind: kindAnchors, anchor: 2, until: 2})
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodePage(b)
		checkFuzz(t, b, err, func() []byte { return p.append(nil) })
	})
}

func FuzzBodies(f *testing.F) {
	_, seeds := replies(f, request{kind: kindBodies, anchor: 1, until: 1})
	f.Add(seeds[0], 5)
	f.Add([]byte{0, 0, 0, 1, 0, 0, 0, 0}, 1)
	f.Fuzz(func(t *testing.T, b []byte, limit int) {
		bodies, err := decodeBodies(b, limit)
		checkFuzz(t, b, err, func() []byte { return appendBodies(nil, bodies) })
		if len(bodies) > max(0, limit) {
			t.Fatalf("%d bodies, at most %d", len(bodies), limit)
		}
	})
}

func FuzzPart(f *testing.F) {
	f.Add([]byte("12345678part"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodePart(b)
		checkFuzz(t, b, err, func() []byte { return p.append(nil) })
	})
}

// FuzzRun gives the content of two pages to a run: whatever it is, an *InvalidError
// or anchors that are the content again.
func FuzzRun(f *testing.F) {
	c, seeds := replies(f, request{kind: kindAnchors, anchor: 1, until: 4})
	p, err := decodePage(seeds[0])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p.content, []byte{})
	cut := proof.CommitmentSize + 2*entrySize
	f.Add(p.content[:cut], p.content[cut:])
	f.Fuzz(func(t *testing.T, a, b []byte) {
		r := run{client: c.client(nil), span: span{from: 1, until: endless, previous: &c.anchors[0].hash}}
		for _, content := range [][]byte{a, b} {
			if err := r.take(content[:len(content):len(content)]); err != nil {
				checkFuzz(t, nil, err, nil)
				return
			}
		}
		var again []byte
		for _, l := range r.anchors {
			again = append(append(again, l.commitment.Encode()...), r.content[l.begin:l.end]...)
		}
		whole := append(bytes.Clone(a), b...)
		if !bytes.Equal(again, whole[:r.parsed]) || (r.open == nil) != (r.parsed == len(whole)) {
			t.Fatalf("%d of %d bytes are in %d anchors", r.parsed, len(whole), len(r.anchors))
		}
	})
}
