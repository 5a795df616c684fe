package snapshot_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"

	"tangled/snapshot"
)

// refused tells whether a file is refused as invalid.
func refused(t *testing.T, n *network, file []byte) error {
	t.Helper()
	_, err := n.read(file)
	if !errors.As(err, new(*snapshot.InvalidError)) {
		t.Fatalf("error %v, want an InvalidError", err)
	}
	return err
}

// TestEveryByte changes each byte of a file in two ways.
func TestEveryByte(t *testing.T) {
	n := newNetwork(t, 1, 2)
	file, _ := n.write()
	for i := range file {
		for _, mask := range []byte{1, 0x80} {
			file[i] ^= mask
			refused(t, n, file)
			file[i] ^= mask
		}
	}
}

// TestEveryPrefix cuts a file short everywhere: the reader is told that bytes are
// missing.
func TestEveryPrefix(t *testing.T) {
	n := newNetwork(t, 1, 2)
	file, _ := n.write()
	for i := range file {
		if err := refused(t, n, file[:i]); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("the first %d bytes: %v, want an unexpected end", i, err)
		}
	}
}

// TestAppended: nothing may come after.
func TestAppended(t *testing.T) {
	n := newNetwork(t, 1, 2)
	file, _ := n.write()
	_, trailer := unpack(file)
	for _, more := range [][]byte{{0}, file, frame('B', []byte{4}), frame('T', trailer)} {
		_, err := n.read(append(bytes.Clone(file), more...))
		wantReason(t, err, snapshot.ReasonEncoding)
	}
}

// TestEveryBodyByte changes each byte of the body and seals the file again: no
// byte is free, whatever digest and checksums say.
func TestEveryBodyByte(t *testing.T) {
	n := newNetwork(t, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2)
	p := n.parts()
	body := p.body()
	for i := range body {
		body[i] ^= 1
		refused(t, n, sealBody(p, body))
		body[i] ^= 1
	}
	if _, err := n.read(sealBody(p, body)); err != nil {
		t.Fatal(err)
	}
}

// sealBody is the file of p with another body, which it takes the digest of.
func sealBody(p *parts, body []byte) []byte {
	q := *p
	q.network, q.index, q.parameters, q.committee = nil, 0, nil, nil
	q.before, q.peaks, q.anchors, q.accounts, q.transfers = nil, nil, nil, nil, nil
	file := append(header(), frameOf('B', len(body), uncompressed(body))...)
	digest := blake(body)
	q.digest = digest[:]
	trailer := q.trailer()
	return append(file, frameOf('T', len(trailer), uncompressed(trailer))...)
}

// TestFrames is the damage that a checksum does not find.
func TestFrames(t *testing.T) {
	n := city(t)
	p := n.parts()
	body, trailer := p.body(), p.trailer()
	last := frame('T', trailer)
	whole := frame('B', body)
	stored := compress(body)
	join := func(frames ...[]byte) []byte { return append(header(), slices.Concat(frames...)...) }
	if _, err := n.read(join(whole, last)); err != nil {
		t.Fatal(err)
	}
	checksumOff := bytes.Clone(whole)
	checksumOff[12] ^= 1
	oneMore := append(bytes.Clone(body), 0)
	for _, test := range []struct {
		name string
		file []byte
		want snapshot.Reason
	}{
		{"another magic", append(append([]byte("tangsnip"), u32(1)...), slices.Concat(whole, last)...), snapshot.ReasonEncoding},
		{"a later version", append(append([]byte("tangsnap"), u32(2)...), slices.Concat(whole, last)...), snapshot.ReasonVersion},
		{"checksum", join(checksumOff, last), snapshot.ReasonChecksum},
		{"no body", join(last), snapshot.ReasonEncoding},
		{"a short block before another", join(frame('B', body[:100]), frame('B', body[100:]), last), snapshot.ReasonEncoding},
		{"an empty block", join(frameOf('B', 0, compress(nil)), whole, last), snapshot.ReasonEncoding},
		{"nothing stored", join(frameOf('B', len(body), nil), last), snapshot.ReasonEncoding},
		{"another kind", join(frame('X', body), last), snapshot.ReasonEncoding},
		{"another kind at the end", join(whole, frame('B', trailer)), snapshot.ReasonEncoding},
		{"a size too small", join(frameOf('B', len(body)-1, stored), last), snapshot.ReasonEncoding},
		{"a size too large", join(frameOf('B', len(body)+1, stored), last), snapshot.ReasonEncoding},
		{"larger than a block", join(frameOf('B', snapshot.BlockSize+1, stored), last), snapshot.ReasonEncoding},
		{"stored larger than a block", join(frameOf('B', len(body), make([]byte, snapshot.MaxStored+1)), last), snapshot.ReasonEncoding},
		{"not compressed", join(frameOf('B', len(body), body), last), snapshot.ReasonEncoding},
		{"a byte after the last record", sealBody(p, oneMore), snapshot.ReasonEncoding},
		{"trailer cut short", join(whole, frame('T', trailer[:len(trailer)-1])), snapshot.ReasonEncoding},
		{"trailer with a byte more", join(whole, frame('T', append(bytes.Clone(trailer), 0))), snapshot.ReasonEncoding},
		{"trailer of a digest", join(whole, frame('T', trailer[:32])), snapshot.ReasonEncoding},
		{"trailer ends within the signatures", join(whole, frame('T', trailer[:100])), snapshot.ReasonEncoding},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := n.read(test.file)
			wantReason(t, err, test.want)
		})
	}
}

// TestBomb: a frame that grows beyond what it says is stopped before it did, as
// one that wants much memory.
func TestBomb(t *testing.T) {
	n := newNetwork(t, 1)
	zeros := make([]byte, 64<<20)
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		t.Fatal(err)
	}
	defer encoder.Close()
	known := encoder.EncodeAll(zeros, nil)
	var stream bytes.Buffer // does not say its size
	encoder.Reset(&stream)
	if _, err := encoder.Write(zeros); err != nil {
		t.Fatal(err)
	}
	if err := encoder.Close(); err != nil {
		t.Fatal(err)
	}
	small := compress(make([]byte, snapshot.BlockSize))
	for name, stored := range map[string][]byte{
		"known size":   known,
		"unknown size": stream.Bytes(),
		"many frames":  bytes.Repeat(small, snapshot.MaxStored/len(small)),
	} {
		if len(stored) > snapshot.MaxStored {
			t.Fatalf("%s: %d bytes", name, len(stored))
		}
		file := append(header(), frameOf('B', snapshot.BlockSize, stored)...)
		var err error
		allocated := allocations(func() { _, err = n.read(file) })
		wantReason(t, err, snapshot.ReasonEncoding)
		if allocated > 8<<20 {
			t.Errorf("%s: %d bytes allocated", name, allocated)
		}
	}
}

// TestFramePromises: no room is made for a frame that is larger than any.
func TestFramePromises(t *testing.T) {
	n := newNetwork(t, 1)
	const large = 1 << 28
	good := compress(n.parts().body())
	for name, frame := range map[string][]byte{
		"size":   frameOf('B', large, good),
		"stored": append(append([]byte{'B'}, u32(100)...), append(u32(large), 0, 0, 0, 0)...),
	} {
		file := append(header(), frame...)
		var err error
		allocated := allocations(func() { _, err = n.read(file) })
		wantReason(t, err, snapshot.ReasonEncoding)
		if allocated > 8<<20 {
			t.Errorf("%s: %d bytes allocated", name, allocated)
		}
	}
}

// TestPromises: a count that is not kept makes no room for what it promises.
func TestPromises(t *testing.T) {
	n := newNetwork(t, 1)
	n.genesis.MaxIncluded = 1_000_000
	p := newNetworkOf(t, n.genesis, 1).parts()
	binary.BigEndian.PutUint64(p.anchors[0][1+132:], 1_000_000)
	var err error
	file := p.seal()
	options := snapshot.ReadOptions{Genesis: n.genesis}
	allocated := allocations(func() { _, err = snapshot.Read(t.Context(), bytes.NewReader(file), options, snapshot.Sink{}) })
	wantReason(t, err, snapshot.ReasonEncoding)
	if allocated > 8<<20 {
		t.Errorf("%d bytes allocated", allocated)
	}
}

// TestIndexTooHigh: a tree of commitments has an end, which no file may reach.
func TestIndexTooHigh(t *testing.T) {
	n := newNetwork(t, 1, 1)
	p := n.parts()
	before := n.anchors[0].Commitment
	for _, index := range []uint64{snapshot.MaxIndex + 1, snapshot.MaxIndex + 2, 1<<64 - 1} {
		before.Index = index - 1
		p.index, p.first, p.before = index, index, before.Encode()
		p.peaks = make([][32]byte, 64)[:onesCount(index)]
		c := n.last().Commitment
		c.Index, c.Previous, c.Time = index, before.Hash(), before.Time
		if index <= 1<<62 {
			c.Tree = rootOf(t, index, p.peaks)
		}
		p.anchors = [][]byte{anchorRecord(&snapshot.Anchor{Commitment: c, Included: n.last().Included})}
		_, err := n.read(p.seal())
		wantReason(t, err, snapshot.ReasonChain)
	}
}

// FuzzRead: whatever comes is refused or is the one snapshot there is, and is
// never the end of the program.
func FuzzRead(f *testing.F) {
	n := newNetwork(f, 1, 2)
	file, info := n.write()
	f.Add(file, false)
	body, trailer := unpack(file)
	f.Add(body, true)
	p := n.parts()
	f.Add(append(header(), frame('T', trailer)...), false)
	f.Fuzz(func(t *testing.T, b []byte, isBody bool) {
		if isBody {
			if len(b) == 0 || len(b) > maxUncompressed {
				return
			}
			b = sealBody(p, b)
		}
		got, err := n.read(b)
		if err == nil {
			if got.Digest != info.Digest {
				t.Fatalf("digest %x, want %x", got.Digest, info.Digest)
			}
			return
		}
		if !errors.As(err, new(*snapshot.InvalidError)) {
			t.Fatalf("error %v, want an InvalidError", err)
		}
	})
}
