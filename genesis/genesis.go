// Package genesis is the birth certificate of a network: its name, its start
// time and the parameters every node must share.
//
// A network is made once. Its genesis has one canonical binary encoding; the
// BLAKE2b-256 of that encoding is the root of the Tangle, and its first 8
// bytes are the network id inside every message. People read and hand on the
// same content as genesis.toml. Two nodes whose files differ in any field are
// in different networks.
//
// # Encoding
//
// Big-endian; strings and lists carry their length in front.
//
//	version u8 (1)
//	name length u8, name
//	start time u64          ns since the Unix epoch
//	window u64              ns
//	data bits u8            leading zero bits of work of a data message
//	committee count u16, then each: key 32, weight u64
//	balance count u32, then each: address 32, amount u64
//
// # Errors
//
// Parse and Validate return a plain error that names the field: a genesis comes
// from the operator, never from a peer.
package genesis

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"golang.org/x/crypto/blake2b"
)

const (
	encodingVersion = 1

	// MaxNameSize is the longest network name in bytes.
	MaxNameSize = 64
	// MaxSeats is the largest committee.
	MaxSeats = 31
	// MaxBits is the highest work that a genesis may ask for. At 40 bits one
	// message takes a core about a day.
	MaxBits = 40
	// DefaultDataBits costs a device's node about 0.1 ms a message.
	DefaultDataBits = 10
	// DefaultWindow is how far back the live part of the DAG reaches.
	DefaultWindow = 30 * time.Minute
	// MinWindow leaves room for the time by which the ledger time trails the
	// newest message, and as much again.
	MinWindow = 10 * time.Second
)

// Seat is one place on the committee.
type Seat struct {
	Key    [ed25519.PublicKeySize]byte
	Weight uint64
}

// Balance is what an address owns at the start.
type Balance struct {
	Address [32]byte // BLAKE2b-256 of the owner's Ed25519 key
	Amount  uint64
}

// Genesis is what all nodes of a network agree on before the first message.
type Genesis struct {
	Name      string
	Start     time.Time     // to the nanosecond, after 1970
	Window    time.Duration // MinWindow or longer
	DataBits  int           // 0..MaxBits
	Committee []Seat        // at most MaxSeats, keys unique, weights above zero
	Balances  []Balance     // addresses unique, the sum fits 63 bits
}

// Validate tells whether a network can live by g.
func (g *Genesis) Validate() error {
	switch {
	case g.Name == "" || len(g.Name) > MaxNameSize:
		return fmt.Errorf("genesis: name of %d bytes, want 1..%d", len(g.Name), MaxNameSize)
	case g.Start.UnixNano() <= 0 || !g.Start.Equal(time.Unix(0, g.Start.UnixNano())):
		return errors.New("genesis: start time is missing, before 1970 or after 2262")
	case g.Window < MinWindow:
		return fmt.Errorf("genesis: window %v, want %v or longer", g.Window, MinWindow)
	case g.DataBits < 0 || g.DataBits > MaxBits:
		return fmt.Errorf("genesis: data bits %d, want 0..%d", g.DataBits, MaxBits)
	case len(g.Committee) > MaxSeats:
		return fmt.Errorf("genesis: %d seats, at most %d", len(g.Committee), MaxSeats)
	}
	for _, c := range g.Name {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-') {
			return fmt.Errorf("genesis: name %q, want lower-case letters, digits and '-'", g.Name)
		}
	}
	if err := g.validateCommittee(); err != nil {
		return err
	}
	return g.validateBalances()
}

func (g *Genesis) validateCommittee() error {
	seen := make(map[[32]byte]bool, len(g.Committee))
	var total uint64
	for i, seat := range g.Committee {
		if seen[seat.Key] {
			return fmt.Errorf("genesis: seat %d repeats the key %x", i, seat.Key)
		}
		seen[seat.Key] = true
		// Quorums compare 3*weight with 2*W: 61 bits leave room for both.
		if seat.Weight == 0 || seat.Weight > 1<<61 || total+seat.Weight > 1<<61 {
			return fmt.Errorf("genesis: seat %d has weight %d, want above zero and a sum below 2^61", i, seat.Weight)
		}
		total += seat.Weight
	}
	return nil
}

func (g *Genesis) validateBalances() error {
	seen := make(map[[32]byte]bool, len(g.Balances))
	var total uint64
	for i, b := range g.Balances {
		if seen[b.Address] {
			return fmt.Errorf("genesis: balance %d repeats the address %x", i, b.Address)
		}
		seen[b.Address] = true
		if b.Amount > math.MaxInt64 || total+b.Amount > math.MaxInt64 {
			return fmt.Errorf("genesis: the balances add up to more than 2^63-1")
		}
		total += b.Amount
	}
	return nil
}

// Encode is the canonical encoding of a valid genesis.
func (g *Genesis) Encode() []byte {
	b := []byte{encodingVersion, byte(len(g.Name))}
	b = append(b, g.Name...)
	b = binary.BigEndian.AppendUint64(b, uint64(g.Start.UnixNano()))
	b = binary.BigEndian.AppendUint64(b, uint64(g.Window))
	b = append(b, byte(g.DataBits))
	b = binary.BigEndian.AppendUint16(b, uint16(len(g.Committee)))
	for i := range g.Committee {
		b = append(b, g.Committee[i].Key[:]...)
		b = binary.BigEndian.AppendUint64(b, g.Committee[i].Weight)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(g.Balances)))
	for i := range g.Balances {
		b = append(b, g.Balances[i].Address[:]...)
		b = binary.BigEndian.AppendUint64(b, g.Balances[i].Amount)
	}
	return b
}

// Hash is the BLAKE2b-256 of the canonical encoding.
func (g *Genesis) Hash() [32]byte { return blake2b.Sum256(g.Encode()) }

// Network is the first 8 bytes of Hash: the network id in every message.
func (g *Genesis) Network() [8]byte {
	hash := g.Hash()
	return [8]byte(hash[:8])
}

// ID is the message ID of the genesis, the root of the Tangle: its start time
// (8 bytes, big-endian nanoseconds) and its hash.
func (g *Genesis) ID() [40]byte {
	var id [40]byte
	binary.BigEndian.PutUint64(id[:8], uint64(g.Start.UnixNano()))
	hash := g.Hash()
	copy(id[8:], hash[:])
	return id
}
