package snapshot_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/bits"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/crypto/blake2b"

	"tangled/proof"
	"tangled/snapshot"
)

// parts are a snapshot taken apart, to be changed and sealed again: an encoder of
// its own, after the package comment, without the package under test. What
// sealing computes (digest, checksums) is right whatever was changed.
type parts struct {
	network    []byte
	index      uint64
	parameters []byte
	committee  []byte
	first      uint64
	before     []byte
	peaks      [][32]byte
	anchors    [][]byte // records, as are the next three
	accounts   [][]byte
	transfers  [][]byte
	end        []byte

	digest     []byte // nil: that of the body
	signatures []proof.Signature
	witness    []byte
}

// parts takes the snapshot of n apart.
func (n *network) parts() *parts {
	src := n.source()
	first := max(len(n.anchors)-inside, 0)
	id := n.genesis.Network()
	p := &parts{
		network: id[:], index: src.Index, first: uint64(first + 1),
		signatures: src.Signatures, witness: src.Witness,
		end: []byte{4},
	}
	g := n.genesis
	p.parameters = append(u64(uint64(g.Window)), byte(g.DataBits), byte(g.TransferBits), byte(g.WitnessBits))
	p.parameters = append(p.parameters, u32(g.MaxIncluded)...)
	p.committee = binary.BigEndian.AppendUint16(nil, uint16(len(g.Committee)))
	for _, seat := range g.Committee {
		p.committee = append(append(p.committee, seat.Key[:]...), u64(seat.Weight)...)
	}
	if first > 0 {
		p.before = src.Before.Encode()
	}
	for level := 63; level >= 0; level-- {
		if p.first>>level&1 == 1 {
			p.peaks = append(p.peaks, n.nodes[[2]uint64{uint64(level), p.first>>level - 1}])
		}
	}
	if len(p.peaks) != bits.OnesCount64(p.first) {
		panic("peaks")
	}
	for i := first; i < len(n.anchors); i++ {
		p.anchors = append(p.anchors, anchorRecord(&n.anchors[i]))
	}
	for _, a := range n.accounts {
		p.accounts = append(p.accounts, accountRecord(a))
	}
	for _, t := range n.transfers {
		p.transfers = append(p.transfers, append(append([]byte{3}, u64(t.ValidUntil)...), t.ID[:]...))
	}
	return p
}

func anchorRecord(a *snapshot.Anchor) []byte {
	b := append([]byte{1}, a.Commitment.Encode()...)
	for _, m := range a.Included {
		b = append(append(b, m.ID[:]...), m.Outcome)
	}
	return b
}

func accountRecord(a snapshot.Account) []byte {
	b := append([]byte{2}, a.Address[:]...)
	return append(append(append(b, u64(a.Balance)...), u64(a.Base)...), u64(a.Used)...)
}

func (p *parts) body() []byte {
	var b bytes.Buffer
	b.Write(p.network)
	b.Write(u64(p.index))
	b.Write(p.parameters)
	b.Write(p.committee)
	b.Write(u64(p.first))
	b.Write(p.before)
	for _, peak := range p.peaks {
		b.Write(peak[:])
	}
	for _, records := range [][][]byte{p.anchors, p.accounts, p.transfers} {
		for _, record := range records {
			b.Write(record)
		}
	}
	b.Write(p.end)
	return b.Bytes()
}

func (p *parts) trailer() []byte {
	digest := p.digest
	if digest == nil {
		sum := blake2b.Sum256(p.body())
		digest = sum[:]
	}
	b := append(bytes.Clone(digest), byte(len(p.signatures)))
	for _, s := range p.signatures {
		b = append(append(b, s.Seat), s.Signature[:]...)
	}
	return append(append(b, u32(len(p.witness))...), p.witness...)
}

// seal puts the file together.
func (p *parts) seal() []byte {
	file := header()
	for body := p.body(); len(body) > 0; {
		n := min(len(body), snapshot.BlockSize)
		file = append(file, frame('B', body[:n])...)
		body = body[n:]
	}
	return append(file, frame('T', p.trailer())...)
}

func header() []byte { return append([]byte("tangsnap"), u32(1)...) }

// frame compresses otherwise than the package does.
func frame(kind byte, content []byte) []byte {
	return frameOf(kind, len(content), compress(content))
}

func frameOf(kind byte, size int, stored []byte) []byte {
	b := append(append([]byte{kind}, u32(size)...), u32(len(stored))...)
	table := crc32.MakeTable(crc32.Castagnoli)
	sum := crc32.Checksum(append(bytes.Clone(b), stored...), table)
	return append(binary.BigEndian.AppendUint32(b, sum), stored...)
}

func compress(content []byte) []byte {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(snapshot.BlockSize), zstd.WithEncoderConcurrency(1))
	if err != nil {
		panic(err)
	}
	defer encoder.Close()
	return encoder.EncodeAll(content, nil)
}

// maxUncompressed is the most that one block of zstd holds.
const maxUncompressed = 128 << 10

// uncompressed is a frame of zstd that holds content as it is, in a single
// segment of one raw block: made in no time.
func uncompressed(content []byte) []byte {
	b := append([]byte{0x28, 0xb5, 0x2f, 0xfd}, 0xa0)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(content)))
	block := uint32(len(content))<<3 | 1
	return append(append(b, byte(block), byte(block>>8), byte(block>>16)), content...)
}

// unpack is the body and the trailer of a good file.
func unpack(file []byte) (body, trailer []byte) {
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		panic(err)
	}
	defer decoder.Close()
	for rest := file[12:]; len(rest) > 0; {
		end := 13 + binary.BigEndian.Uint32(rest[5:])
		content, err := decoder.DecodeAll(rest[13:end], nil)
		if err != nil {
			panic(err)
		}
		if rest[0] == 'B' {
			body = append(body, content...)
		} else {
			trailer = content
		}
		rest = rest[end:]
	}
	return body, trailer
}
