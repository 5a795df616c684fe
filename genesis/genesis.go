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
//	transfer bits u8        and of a transfer
//	witness bits u8         and of a witness
//	max included u32        messages that one anchor includes at most
//	committee count u16, then each: key 32, weight u64
//	balance count u32, then each: address 32, amount u64
//
// Two parts of it are hashed on their own too, for whoever holds a commitment
// and not the genesis: ParametersHash covers the window to max included,
// CommitteeHash the committee with its count.
//
// # Errors
//
// Parse and Validate return a plain error that names the field: a genesis comes
// from the operator, never from a peer. Warnings tells what is allowed and yet
// seldom meant.
package genesis

import (
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
	// MaxBits is the highest work that a genesis may ask for. At 40 bits one
	// message takes a core about a day.
	MaxBits = 40
	// DefaultDataBits and DefaultTransferBits cost a device's node about 0.1 ms
	// a message. A witness needs none: only seats can write one.
	DefaultDataBits     = 10
	DefaultTransferBits = 10
	DefaultWitnessBits  = 0
	// DefaultMaxIncluded is what an anchor includes at most: more than a second
	// of what a node of two cores can take.
	DefaultMaxIncluded = 50_000
	// MaxMaxIncluded is the highest such bound: its list of IDs is 40 MB.
	MaxMaxIncluded = 1_000_000
	// DefaultWindow is how far back the live part of the DAG reaches.
	DefaultWindow = 30 * time.Minute
	// MinWindow leaves room for the time by which the ledger time trails the
	// newest message, and as much again.
	MinWindow = 10 * time.Second
)

// Balance is what an address owns at the start.
type Balance struct {
	Address [32]byte // BLAKE2b-256 of the owner's Ed25519 key
	Amount  uint64
}

// Genesis is what all nodes of a network agree on before the first message.
type Genesis struct {
	Name         string
	Start        time.Time     // to the nanosecond, after 1970
	Window       time.Duration // MinWindow or longer
	DataBits     int           // work of a data message, 0..MaxBits
	TransferBits int           // work of a transfer, 0..MaxBits
	WitnessBits  int           // work of a witness, 0..MaxBits
	MaxIncluded  int           // messages an anchor includes at most, 1..MaxMaxIncluded
	Committee    []Seat        // at most MaxSeats, keys unique, weights above zero: see Seat
	Balances     []Balance     // addresses unique, the sum fits 63 bits
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
	case g.TransferBits < 0 || g.TransferBits > MaxBits:
		return fmt.Errorf("genesis: transfer bits %d, want 0..%d", g.TransferBits, MaxBits)
	case g.WitnessBits < 0 || g.WitnessBits > MaxBits:
		return fmt.Errorf("genesis: witness bits %d, want 0..%d", g.WitnessBits, MaxBits)
	case g.MaxIncluded < 1 || g.MaxIncluded > MaxMaxIncluded:
		return fmt.Errorf("genesis: max included %d, want 1..%d", g.MaxIncluded, MaxMaxIncluded)
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
	b = g.appendParameters(b)
	b = g.appendCommittee(b)
	b = binary.BigEndian.AppendUint32(b, uint32(len(g.Balances)))
	for i := range g.Balances {
		b = append(b, g.Balances[i].Address[:]...)
		b = binary.BigEndian.AppendUint64(b, g.Balances[i].Amount)
	}
	return b
}

func (g *Genesis) appendParameters(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(g.Window))
	b = append(b, byte(g.DataBits), byte(g.TransferBits), byte(g.WitnessBits))
	return binary.BigEndian.AppendUint32(b, uint32(g.MaxIncluded))
}

// ParametersHash is the BLAKE2b-256 of 15 bytes of the canonical encoding: the
// window, the data, transfer and witness bits, and max included.
func (g *Genesis) ParametersHash() [32]byte { return blake2b.Sum256(g.appendParameters(nil)) }

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
