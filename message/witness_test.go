package message_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"

	"tangled/message"
)

// wireWitness is a witness payload as the drawing of Witness has it, written and
// read without the package's codec. The count may lie.
type wireWitness struct {
	epoch     uint32
	seat      byte
	round     uint64
	previous  [40]byte
	index     uint64
	hash      [32]byte
	signature [64]byte
	count     byte
	refs      []wireRef
}

type wireRef struct {
	Seat byte
	ID   [40]byte
}

func (w wireWitness) bytes() []byte {
	var b bytes.Buffer
	put := func(v any) { _ = binary.Write(&b, binary.BigEndian, v) }
	put(w.epoch)
	put(w.seat)
	put(w.round)
	put(w.previous)
	put(w.index)
	put(w.hash)
	put(w.signature)
	put(w.count)
	put(w.refs)
	return b.Bytes()
}

// wireCommitSigned is what a seat signs for the commitment in a witness payload.
func wireCommitSigned(payload []byte, network [8]byte) []byte {
	return slices.Concat([]byte("tangled/commit"), network[:], payload[:4], payload[53:93])
}

// sameAsWireWitness compares a witness with an independent reading of its
// payload.
func sameAsWireWitness(t testing.TB, got message.Witness, payload []byte, network [8]byte) {
	t.Helper()
	n := int(payload[157])
	if len(payload) != 158+41*n {
		t.Fatalf("%d bytes for %d refs", len(payload), n)
	}
	if got.Epoch != binary.BigEndian.Uint32(payload) || got.Seat != payload[4] ||
		got.Round != binary.BigEndian.Uint64(payload[5:]) || got.Previous != message.ID(payload[13:53]) {
		t.Errorf("%+v of payload %x", got, payload)
	}
	commit := message.Commit{
		Index: binary.BigEndian.Uint64(payload[53:]), Hash: [32]byte(payload[61:]), Signature: [64]byte(payload[93:]),
	}
	if got.Commit != commit {
		t.Errorf("commit %+v, want %+v", got.Commit, commit)
	}
	if len(got.Refs) != n || (got.Round == 1) != (n == 0) || got.Round == 0 {
		t.Fatalf("%d refs in round %d, want %d", len(got.Refs), got.Round, n)
	}
	for i, ref := range got.Refs {
		at := payload[158+41*i:]
		if ref.Seat != at[0] || ref.ID != message.ID(at[1:41]) || ref.Seat > 30 || i > 0 && got.Refs[i-1].Seat >= ref.Seat {
			t.Errorf("ref %d is %v of payload %x", i, ref, payload)
		}
	}
	if again := got.Append(nil); !bytes.Equal(again, payload) {
		t.Errorf("encoded again %x, want %x", again, payload)
	}
	signed := message.CommitSigningBytes(network, got.Epoch, got.Commit.Index, got.Commit.Hash)
	if want := wireCommitSigned(payload, network); !bytes.Equal(signed, want) {
		t.Errorf("commit signed over %x, want %x", signed, want)
	}
}

// seatKey is the key of a seat in these tests.
func seatKey(seat int) byte { return byte(0x40 + seat) }

// testWireWitness is the witness of seat 2 for round 7, with refs to the seats
// 0, 2 and 5.
func testWireWitness() wireWitness {
	w := wireWitness{
		seat:     2,
		round:    7,
		previous: testID(500, 0xee),
		index:    0x0102030405060708,
		hash:     [32]byte(bytes.Repeat([]byte{0xcc}, 32)),
	}
	w.setRefs(0, 2, 5)
	w.sign(seatKey(2), testNetwork)
	return w
}

// setRefs gives w a ref to each seat.
func (w *wireWitness) setRefs(seats ...byte) {
	w.refs, w.count = nil, byte(len(seats))
	for _, seat := range seats {
		w.refs = append(w.refs, wireRef{seat, testID(600+uint64(seat), 0xf0)})
	}
}

// sign signs the commitment.
func (w *wireWitness) sign(key byte, network [8]byte) {
	w.signature = [64]byte(ed25519.Sign(testKey(key), wireCommitSigned(w.bytes(), network)))
}

// seats are the first n seats.
func seats(n int) (all []byte) {
	for i := range n {
		all = append(all, byte(i))
	}
	return all
}

// witnessDraft carries a witness; the key of its seat is to sign it.
func witnessDraft(w wireWitness) *message.Draft {
	d := testDraft()
	d.Kind, d.Payload = message.KindWitness, w.bytes()
	return d
}

// witnessWire is a witness on the wire, in a message that nobody signed.
func witnessWire(witness wireWitness) wire {
	w := testWire()
	w.kind = 3
	w.setPayload(witness.bytes())
	return w
}

// witnessDamage has each way in which a witness's payload can be wrong by
// itself.
var witnessDamage = []struct {
	name   string
	damage func(w *wireWitness)
	want   message.Reason
}{
	{"seat 31", func(w *wireWitness) { w.seat = 31 }, message.ReasonWitness},
	{"seat 255", func(w *wireWitness) { w.seat = 255 }, message.ReasonWitness},
	{"round zero", func(w *wireWitness) { w.round = 0; w.setRefs() }, message.ReasonWitness},
	{"round zero with refs", func(w *wireWitness) { w.round = 0 }, message.ReasonWitness},
	{"refs in round 1", func(w *wireWitness) { w.round = 1 }, message.ReasonWitness},
	{"no refs in round 2", func(w *wireWitness) { w.round = 2; w.setRefs() }, message.ReasonWitness},
	{"32 refs", func(w *wireWitness) { w.setRefs(seats(32)...) }, message.ReasonWitness},
	{"255 refs", func(w *wireWitness) { w.setRefs(seats(255)...) }, message.ReasonWitness},
	{"ref to seat 31", func(w *wireWitness) { w.setRefs(0, 31) }, message.ReasonWitness},
	{"ref to seat 255 alone", func(w *wireWitness) { w.setRefs(255) }, message.ReasonWitness},
	{"refs descending", func(w *wireWitness) { w.setRefs(2, 1) }, message.ReasonWitness},
	{"refs descending at the end", func(w *wireWitness) { w.setRefs(1, 2, 4, 3) }, message.ReasonWitness},
	{"two refs to a seat", func(w *wireWitness) { w.setRefs(1, 3, 3) }, message.ReasonWitness},
	{"count above the refs", func(w *wireWitness) { w.count = 4 }, message.ReasonTruncated},
	{"count below the refs", func(w *wireWitness) { w.count = 2 }, message.ReasonTrailing},
	{"count zero before refs", func(w *wireWitness) { w.count = 0 }, message.ReasonTrailing},
}

// TestDecodeWitnessDamage refuses each damage in the payload alone, in a
// message on the wire, and in a draft.
func TestDecodeWitnessDamage(t *testing.T) {
	for _, test := range witnessDamage {
		t.Run(test.name, func(t *testing.T) {
			w := testWireWitness()
			test.damage(&w)
			_, err := message.DecodeWitness(w.bytes())
			wantReason(t, err, test.want)
			_, err = message.Decode(witnessWire(w).bytes())
			wantReason(t, err, test.want)
			_, err = witnessDraft(w).Sign(testKey(seatKey(2)))
			wantReason(t, err, test.want)
			_, err = witnessDraft(w).Seal(testIssuer(seatKey(2)), [64]byte{})
			wantReason(t, err, test.want)
		})
	}
}

func TestDecodeWitnessTruncated(t *testing.T) {
	b := testWireWitness().bytes()
	for n := range b {
		_, err := message.DecodeWitness(b[:n])
		wantReason(t, err, message.ReasonTruncated)
	}
	for _, n := range []int{1, 40, 41, 64} {
		_, err := message.DecodeWitness(append(slices.Clone(b), make([]byte, n)...))
		wantReason(t, err, message.ReasonTrailing)
	}
}

// TestWitnessMessageDamage has what is wrong only in the message around a
// witness.
func TestWitnessMessageDamage(t *testing.T) {
	tests := []struct {
		name   string
		damage func(w *wire, inner *wireWitness)
		want   message.Reason
	}{
		{"no parents", func(w *wire, _ *wireWitness) { w.setParents() }, message.ReasonParents},
		{"251 parents", func(w *wire, _ *wireWitness) { w.setParents(ascendingIDs(251)...) }, message.ReasonParents},
		{"255 parents", func(w *wire, _ *wireWitness) { w.setParents(ascendingIDs(255)...) }, message.ReasonParents},
		{"nine parents of data", func(w *wire, _ *wireWitness) {
			*w = testWire()
			w.setParents(ascendingIDs(9)...)
		}, message.ReasonParents},
		{"nine parents of a transfer", func(w *wire, _ *wireWitness) {
			*w = transferWire(testWireTransfer())
			w.setParents(ascendingIDs(9)...)
		}, message.ReasonParents},
		{"repeated parent", func(w *wire, _ *wireWitness) { w.setParents(testID(1, 1), testID(1, 1)) }, message.ReasonParentOrder},
		{"parents descending at the end", func(w *wire, _ *wireWitness) {
			ids := ascendingIDs(250)
			ids[248], ids[249] = ids[249], ids[248]
			w.setParents(ids...)
		}, message.ReasonParentOrder},
		{"last of 250 parents not older", func(w *wire, _ *wireWitness) {
			w.setParents(append(ascendingIDs(249), testID(w.timestamp, 1))...)
		}, message.ReasonTimestamp},
		{"previous of the same time", func(w *wire, inner *wireWitness) { inner.previous = testID(w.timestamp, 1) }, message.ReasonTimestamp},
		{"younger previous", func(w *wire, inner *wireWitness) { inner.previous = testID(w.timestamp+1, 1) }, message.ReasonTimestamp},
		{"first ref of the same time", func(w *wire, inner *wireWitness) { inner.refs[0].ID = testID(w.timestamp, 1) }, message.ReasonTimestamp},
		{"younger last ref", func(w *wire, inner *wireWitness) { inner.refs[2].ID = testID(math.MaxUint64, 1) }, message.ReasonTimestamp},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inner := testWireWitness()
			w := witnessWire(inner)
			test.damage(&w, &inner)
			if w.kind == 3 {
				w.setPayload(inner.bytes())
			}
			_, err := message.Decode(w.bytes())
			wantReason(t, err, test.want)

			d := message.Draft{Network: w.network, Timestamp: w.timestamp, Kind: message.Kind(w.kind), Payload: w.payload}
			for _, id := range w.parents {
				d.Parents = append(d.Parents, id)
			}
			_, err = d.Sign(testKey(seatKey(2)))
			wantReason(t, err, test.want)
		})
	}
}

// TestWitnessLimits has what is just allowed, through the whole of a message.
func TestWitnessLimits(t *testing.T) {
	tests := []struct {
		name    string
		parents int
		shape   func(w *wireWitness)
	}{
		{"ordinary", 2, func(*wireWitness) {}},
		{"one parent", 1, func(*wireWitness) {}},
		{"the first of a network", 1, func(w *wireWitness) { w.round, w.previous, w.index = 1, [40]byte{}, 0; w.setRefs() }},
		{"round 1 with a previous", 1, func(w *wireWitness) { w.round = 1; w.setRefs() }},
		{"previous just older", 2, func(w *wireWitness) { w.previous = testID(999, 1) }},
		{"refs just older", 2, func(w *wireWitness) { w.refs[0].ID, w.refs[2].ID = testID(999, 1), testID(999, 2) }},
		{"one ref", 2, func(w *wireWitness) { w.setRefs(30) }},
		{"last seat", 2, func(w *wireWitness) { w.seat = 30 }},
		{"last round", 2, func(w *wireWitness) { w.round = math.MaxUint64 }},
		{"other epoch", 2, func(w *wireWitness) { w.epoch = math.MaxUint32 }},
		{"as large as can be", 250, func(w *wireWitness) { w.setRefs(seats(31)...) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := testWireWitness()
			test.shape(&w)
			w.sign(seatKey(2), testNetwork)
			d := witnessDraft(w)
			d.Parents = ascendingIDs(test.parents)
			m := sign(t, d, seatKey(2))
			sameAsWire(t, m, m.Bytes())
			decoded, err := message.Decode(m.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			sameAsWire(t, decoded, m.Bytes())
			if err := message.NewVerifier().Verify(decoded); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestWitnessValidate: what DecodeWitness refuses can not be made either, and
// what would not survive the encoding is refused before.
func TestWitnessValidate(t *testing.T) {
	refs := func(seats ...int) (refs []message.Ref) {
		for _, seat := range seats {
			refs = append(refs, message.Ref{Seat: uint8(seat), ID: testID(1, 1)})
		}
		return refs
	}
	var many []int
	for i := range 256 {
		many = append(many, i)
	}
	tests := []struct {
		name    string
		witness message.Witness
		good    bool
	}{
		{"first", message.Witness{Round: 1}, true},
		{"31 refs", message.Witness{Seat: 30, Round: 2, Refs: refs(many[:31]...)}, true},
		{"zero", message.Witness{}, false},
		{"32 refs", message.Witness{Round: 2, Refs: refs(many[:32]...)}, false},
		// A count of 256 would be written as zero.
		{"256 refs", message.Witness{Round: 2, Refs: refs(many...)}, false},
		{"32 refs within the seats", message.Witness{Round: 2, Refs: refs(append(many[:31:31], 30)...)}, false},
		{"seat 31", message.Witness{Seat: 31, Round: 1}, false},
		{"seat twice", message.Witness{Round: 2, Refs: refs(1, 1)}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.witness.Validate()
			if !test.good {
				wantReason(t, err, message.ReasonWitness)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// FuzzDecodeWitness holds the payload canonical, and within its limits.
func FuzzDecodeWitness(f *testing.F) {
	f.Add(testWireWitness().bytes())
	for _, test := range witnessDamage {
		w := testWireWitness()
		test.damage(&w)
		f.Add(w.bytes())
	}
	first := testWireWitness()
	first.round, first.previous = 1, [40]byte{}
	first.setRefs()
	f.Add(first.bytes())
	largest := testWireWitness()
	largest.setRefs(seats(31)...)
	f.Add(largest.bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := message.DecodeWitness(b)
		if err != nil {
			if invalid := new(message.InvalidError); !errors.As(err, &invalid) || invalid.Reason == "" {
				t.Fatalf("error %v is no InvalidError", err)
			}
			return
		}
		sameAsWireWitness(t, w, b, testNetwork)
		if err := w.Validate(); err != nil {
			t.Fatalf("decoded, but %v", err)
		}
		if w.Seat > 30 || len(w.Refs) > 31 {
			t.Fatalf("decoded seat %d with %d refs", w.Seat, len(w.Refs))
		}
	})
}
