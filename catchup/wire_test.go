package catchup

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"tangled/message"
	"tangled/proof"
)

func TestRequestLayout(t *testing.T) {
	for _, tc := range []struct {
		q    request
		want []byte
	}{
		{request{kind: kindStatus}, []byte{1}},
		{request{kind: kindAnchors, anchor: 1, index: 2, until: 3},
			[]byte{2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3}},
		{request{kind: kindBodies, anchor: 1, index: 2, until: 1},
			[]byte{3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1}},
		{request{kind: kindSnapshot, anchor: 1, offset: 9},
			[]byte{4, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9}},
	} {
		if got := tc.q.encode(); !bytes.Equal(got, tc.want) {
			t.Errorf("kind %d: got % x, want % x", tc.q.kind, got, tc.want)
		}
	}
}

func TestReplyLayout(t *testing.T) {
	signed := []proof.Signature{{Seat: 3, Signature: [64]byte{4}}}
	signature := append([]byte{1, 3, 4}, make([]byte, 63)...)
	p := page{end: endSigned, content: []byte("ab"), signatures: signed}
	if got, want := p.append(nil), slices.Concat([]byte{1, 0, 0, 0, 2, 'a', 'b'}, signature); !bytes.Equal(got, want) {
		t.Errorf("page % x, want % x", got, want)
	}
	if got, want := appendBodies(nil, [][]byte{[]byte("ab"), nil}), []byte{0, 0, 0, 2, 0, 0, 0, 2, 'a', 'b', 0, 0, 0, 0}; !bytes.Equal(got, want) {
		t.Errorf("bodies % x, want % x", got, want)
	}
	if got, want := (part{9, []byte("ab")}).append(nil), []byte{0, 0, 0, 0, 0, 0, 0, 9, 'a', 'b'}; !bytes.Equal(got, want) {
		t.Errorf("part % x, want % x", got, want)
	}
	s := Status{CompleteFrom: 5, Snapshot: SnapshotInfo{6, 7, [32]byte{8}}, Signatures: signed}
	want := slices.Concat(make([]byte, proof.CommitmentSize),
		[]byte{0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 7, 8}, make([]byte, 31), signature)
	if got := s.append(nil); !bytes.Equal(got, want) {
		t.Errorf("status % x, want % x", got, want)
	}
}

// The longest replies fit what carries them: 4 MiB and 64 KiB.
func TestLongestReplies(t *testing.T) {
	c := newChain(t, 0)
	c.growFast(50_000, 220, 0, 1, 2, 3) // a list of the largest that a genesis has by default
	c.growFast(50_000, 220, 0, 1, 2, 3)
	for _, q := range []request{
		{kind: kindStatus},
		{kind: kindAnchors, anchor: 1, until: endless},
		{kind: kindBodies, anchor: 1, until: endless},
	} {
		reply, err := c.serve(t.Context(), q.encode())
		if err != nil {
			t.Fatal(err)
		}
		if most := 4<<20 + 64<<10; len(reply) > most {
			t.Errorf("kind %d: reply of %d bytes, at most %d", q.kind, len(reply), most)
		}
	}
}

// A page of bodies goes on into the anchors that follow, empty ones between them.
func TestBodiesCrossAnchors(t *testing.T) {
	c := mixed(t)
	reply, err := c.serve(t.Context(), request{kind: kindBodies, anchor: 1, index: 2, until: 7}.encode())
	if err != nil {
		t.Fatal(err)
	}
	bodies, err := decodeBodies(reply[1:], maxBodies)
	if want := 3 + 40 + 1 + 70 + 7; err != nil || len(bodies) != want {
		t.Errorf("%d bodies, %v; want %d", len(bodies), err, want)
	}
	// At least one, however long, and never more than may be.
	c.pageSize = 1
	if reply, err = c.serve(t.Context(), request{kind: kindBodies, anchor: 3, until: 7}.encode()); err != nil {
		t.Fatal(err)
	}
	if bodies, err = decodeBodies(reply[1:], maxBodies); err != nil || len(bodies) != 1 {
		t.Errorf("%d bodies, %v; want 1", len(bodies), err)
	}
	c = newChain(t, 0)
	c.growFast(maxBodies+10, 200, 0, 1, 2)
	if reply, err = c.serve(t.Context(), request{kind: kindBodies, anchor: 1, until: 1}.encode()); err != nil {
		t.Fatal(err)
	}
	if bodies, err = decodeBodies(reply[1:], maxBodies+10); err != nil || len(bodies) != maxBodies {
		t.Errorf("%d bodies, %v; want %d", len(bodies), err, maxBodies)
	}
}

// What is no request is the asker's fault.
func TestServeRefuses(t *testing.T) {
	c := mixed(t)
	for name, b := range map[string][]byte{
		"nothing":        nil,
		"kind 0":         {0},
		"kind 5":         {5},
		"status and one": {kindStatus, 0},
		"short":          request{kind: kindAnchors, anchor: 1, until: 2}.encode()[:20],
		"long":           append(request{kind: kindSnapshot, anchor: 1}.encode(), 0),
		"genesis":        request{kind: kindBodies, until: 2}.encode(),
		"ends before":    request{kind: kindAnchors, anchor: 3, until: 2}.encode(),
	} {
		var invalid *InvalidError
		if _, err := Serve(t.Context(), c.source(), b); !errors.As(err, &invalid) {
			t.Errorf("%s: %v, want an *InvalidError", name, err)
		}
	}
}

// What is not here is no fault, and told without reading anything large.
func TestServeNotHere(t *testing.T) {
	c := mixed(t)
	c.from = 3
	for _, tc := range []struct {
		name   string
		q      request
		status byte
	}{
		{"pruned anchors", request{kind: kindAnchors, anchor: 2, until: endless}, statusNotHere},
		{"pruned bodies", request{kind: kindBodies, anchor: 2, until: 5}, statusNotHere},
		{"bodies beyond", request{kind: kindBodies, anchor: 20, until: 20}, statusNotHere},
		{"unsigned anchors", request{kind: kindAnchors, anchor: 8, until: endless}, statusNotYet},
		{"anchors beyond", request{kind: kindAnchors, anchor: 20, until: endless}, statusNotYet},
		{"index beyond", request{kind: kindAnchors, anchor: 3, index: 40, until: endless}, statusNotHere},
		{"no snapshot", request{kind: kindSnapshot, anchor: 5}, statusNotHere},
	} {
		reply, err := c.serve(t.Context(), tc.q.encode())
		if err != nil || !bytes.Equal(reply, []byte{tc.status}) {
			t.Errorf("%s: % x, %v; want status %d", tc.name, reply, err, tc.status)
		}
	}
}

// Anchors that nothing here would make believed are not read.
func TestServeUnbelievable(t *testing.T) {
	c := mixed(t)
	src := c.source()
	src.Complete = func(uint64) uint64 { return 3 } // and 4 is signed
	reply, err := Serve(t.Context(), src, request{kind: kindAnchors, anchor: 2, until: endless}.encode())
	if err != nil || !bytes.Equal(reply, []byte{statusNotHere}) {
		t.Errorf("%d bytes, %v; want that they are not here", len(reply), err)
	}
	// Whoever knows the hash of the last believes them.
	reply, err = Serve(t.Context(), src, request{kind: kindAnchors, anchor: 2, until: 3}.encode())
	if err != nil || reply[0] != statusHere {
		t.Errorf("%d bytes, %v; want two anchors", len(reply), err)
	}
}

// A store that fails, or contradicts itself, gives no reply that would look like a
// lie.
func TestServeOwnFault(t *testing.T) {
	c := mixed(t)
	failure := errors.New("disk")
	anchors := request{kind: kindAnchors, anchor: 1, until: endless}
	bodies := request{kind: kindBodies, anchor: 1, until: 7}
	status := request{kind: kindStatus}
	for _, tc := range []struct {
		name  string
		spoil func(*Source)
		asked []request
	}{
		{"commitment", func(s *Source) { s.Commitment = func(uint64) ([]byte, error) { return nil, failure } }, []request{status, anchors, bodies}},
		{"short commitment", func(s *Source) { s.Commitment = func(uint64) ([]byte, error) { return nil, nil } }, []request{status, anchors, bodies}},
		{"signatures", func(s *Source) {
			s.Signatures = func(uint64) (uint64, []byte, error) { return 0, nil, failure }
		}, []request{status, anchors}},
		{"short signatures", func(s *Source) {
			s.Signatures = func(uint64) (uint64, []byte, error) { return 1, []byte{1}, nil }
		}, []request{status, anchors}},
		{"snapshot", func(s *Source) { s.Snapshot = func() (SnapshotInfo, error) { return SnapshotInfo{}, failure } }, []request{status}},
		{"message", func(s *Source) { s.Message = func(message.ID) ([]byte, error) { return nil, failure } }, []request{bodies}},
		{"list cut short", func(s *Source) {
			c := mixed(t)
			c.anchors[1].included = c.anchors[1].included[:4]
			s.Included = c.source().Included
		}, []request{anchors, bodies}},
		{"list too long", func(s *Source) {
			c := mixed(t)
			c.anchors[1].included = append(c.anchors[1].included, c.anchors[3].included...)
			s.Included = c.source().Included
		}, []request{anchors, bodies}},
	} {
		src := c.source()
		tc.spoil(&src)
		for _, q := range tc.asked {
			var invalid *InvalidError
			if reply, err := Serve(t.Context(), src, q.encode()); err == nil || errors.As(err, &invalid) {
				t.Errorf("%s: reply of %d bytes to a request of kind %d, %v; want an error of our own", tc.name, len(reply), q.kind, err)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.serve(ctx, bodies.encode()); !errors.Is(err, context.Canceled) {
		t.Errorf("after the context's end: %v", err)
	}
}

// Every proper prefix of a reply is refused as one, and so is a byte more.
func TestReplyPrefixes(t *testing.T) {
	c := mixed(t)
	c.pageSize = 1500
	s, err := c.client(nil).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := page{end: endSigned, content: []byte("content"), signatures: s.Signatures}
	for name, tc := range map[string]struct {
		whole  []byte
		decode func([]byte) error
	}{
		"status": {s.append(nil), func(b []byte) error { _, err := decodeStatus(b); return err }},
		"page":   {p.append(nil), func(b []byte) error { _, err := decodePage(b); return err }},
		"bodies": {appendBodies(nil, [][]byte{{1}, {2, 3}}), func(b []byte) error { _, err := decodeBodies(b, 5); return err }},
	} {
		if err := tc.decode(tc.whole); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		refused := append(bytes.Clone(tc.whole), 0)
		for n := range len(refused) + 1 {
			if n == len(tc.whole) {
				continue
			}
			var invalid *InvalidError
			if err := tc.decode(refused[:n]); !errors.As(err, &invalid) {
				t.Errorf("%s: %d of %d bytes: %v, want an *InvalidError", name, n, len(tc.whole), err)
			}
		}
	}
}

// A claim costs nothing before its bytes are there.
func TestClaimsAreBounded(t *testing.T) {
	var invalid *InvalidError
	if _, err := decodeBodies([]byte{0, 0, 0x40, 0, 1}, maxBodies); !errors.As(err, &invalid) {
		t.Errorf("a claim of bodies: %v", err)
	}
	if _, err := decodeBodies(appendBodies(nil, make([][]byte, maxBodies+1)), 1<<30); !errors.As(err, &invalid) {
		t.Errorf("too many bodies: %v", err)
	}
	large := slices.Repeat([][]byte{make([]byte, message.MaxSize)}, maxPage/message.MaxSize)
	if _, err := decodeBodies(appendBodies(nil, large), maxBodies); !errors.As(err, &invalid) {
		t.Errorf("too long a page of bodies: %v", err)
	}
	long := page{end: endMore, content: make([]byte, maxPage+1)}
	if _, err := decodePage(long.append(nil)); !errors.As(err, &invalid) {
		t.Errorf("too long a page: %v", err)
	}
	if _, err := decodeBodies(appendBodies(nil, [][]byte{make([]byte, message.MaxSize+1)}), 1); !errors.As(err, &invalid) {
		t.Errorf("too long a body: %v", err)
	}
	if _, err := decodePart(make([]byte, 9+maxPart)); !errors.As(err, &invalid) {
		t.Errorf("too long a part: %v", err)
	}
}
