package genesis

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// file is genesis.toml.
type file struct {
	Name         string        `toml:"name"`
	Start        string        `toml:"start" comment:"RFC 3339 with nanoseconds"`
	Window       string        `toml:"window" comment:"how far back the live part of the DAG reaches"`
	DataBits     *int          `toml:"data_bits" comment:"proof of work of a data message, in leading zero bits"`
	TransferBits *int          `toml:"transfer_bits" comment:"and of a transfer"`
	WitnessBits  *int          `toml:"witness_bits" comment:"and of a witness"`
	MaxIncluded  *int          `toml:"max_included" comment:"messages that one anchor includes at most"`
	Committee    []seatEntry   `toml:"committee,omitempty"`
	Balances     []balanceLine `toml:"balances,omitempty"`
}

type seatEntry struct {
	Key    string `toml:"key"`
	Weight uint64 `toml:"weight"`
}

type balanceLine struct {
	Address string `toml:"address"`
	Amount  uint64 `toml:"amount"`
}

// Parse reads and validates the content of genesis.toml. Unknown keys are
// refused. Left out, transfer_bits, witness_bits and max_included are the
// defaults, and part of the hash all the same.
func Parse(b []byte) (*Genesis, error) {
	var f file
	dec := toml.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		if strict := new(toml.StrictMissingError); errors.As(err, &strict) {
			return nil, fmt.Errorf("genesis: unknown key:\n%s", strict.String())
		}
		return nil, fmt.Errorf("genesis: %w", err)
	}
	g, err := f.genesis()
	if err != nil {
		return nil, err
	}
	if err := g.Validate(); err != nil {
		return nil, err
	}
	return g, nil
}

func (f *file) genesis() (*Genesis, error) {
	start, err := time.Parse(time.RFC3339Nano, f.Start)
	if err != nil {
		return nil, fmt.Errorf("genesis: start: %w", err)
	}
	window, err := time.ParseDuration(f.Window)
	if err != nil {
		return nil, fmt.Errorf("genesis: window: %w", err)
	}
	if f.DataBits == nil {
		return nil, errors.New("genesis: data_bits is missing")
	}
	g := &Genesis{
		Name:         f.Name,
		Start:        start.UTC(),
		Window:       window,
		DataBits:     *f.DataBits,
		TransferBits: valueOr(f.TransferBits, DefaultTransferBits),
		WitnessBits:  valueOr(f.WitnessBits, DefaultWitnessBits),
		MaxIncluded:  valueOr(f.MaxIncluded, DefaultMaxIncluded),
	}
	for i, s := range f.Committee {
		key, err := parse32(s.Key)
		if err != nil {
			return nil, fmt.Errorf("genesis: key of seat %d: %w", i, err)
		}
		g.Committee = append(g.Committee, Seat{Key: key, Weight: s.Weight})
	}
	for i, line := range f.Balances {
		address, err := parse32(line.Address)
		if err != nil {
			return nil, fmt.Errorf("genesis: address of balance %d: %w", i, err)
		}
		g.Balances = append(g.Balances, Balance{Address: address, Amount: line.Amount})
	}
	return g, nil
}

func valueOr(p *int, otherwise int) int {
	if p == nil {
		return otherwise
	}
	return *p
}

func parse32(s string) (out [32]byte, err error) {
	b, err := hex.DecodeString(s)
	if err != nil {
		return out, err
	}
	if len(b) != len(out) {
		return out, fmt.Errorf("%d bytes, want %d", len(b), len(out))
	}
	return [32]byte(b), nil
}

// Format writes g as genesis.toml. Parse(Format(g)) equals g.
func Format(g *Genesis) ([]byte, error) {
	f := file{
		Name:         g.Name,
		Start:        g.Start.UTC().Format(time.RFC3339Nano),
		Window:       g.Window.String(),
		DataBits:     &g.DataBits,
		TransferBits: &g.TransferBits,
		WitnessBits:  &g.WitnessBits,
		MaxIncluded:  &g.MaxIncluded,
	}
	for _, s := range g.Committee {
		f.Committee = append(f.Committee, seatEntry{Key: hex.EncodeToString(s.Key[:]), Weight: s.Weight})
	}
	for _, b := range g.Balances {
		f.Balances = append(f.Balances, balanceLine{Address: hex.EncodeToString(b.Address[:]), Amount: b.Amount})
	}
	b, err := toml.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("format genesis: %w", err)
	}
	return b, nil
}
