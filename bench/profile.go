package bench

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"runtime/pprof"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// sample is CPU time spent with one stack.
type sample struct {
	stack  []string // functions, the innermost first
	labels map[string]string
	cpu    time.Duration
}

// record profiles the process's CPU time until stop is called, once. The profile also
// goes to whole, unless that is nil.
func record(whole io.Writer) (stop func() ([]sample, error), err error) {
	var b bytes.Buffer
	if err := pprof.StartCPUProfile(&b); err != nil {
		return nil, err
	}
	return func() ([]sample, error) {
		pprof.StopCPUProfile()
		if whole != nil {
			if _, err := whole.Write(b.Bytes()); err != nil {
				return nil, fmt.Errorf("CPU profile: %w", err)
			}
		}
		return readProfile(&b)
	}, nil
}

// readProfile reads a CPU profile as runtime/pprof writes it: a gzipped protobuf
// message whose fields profile.proto of github.com/google/pprof numbers. What is
// read of it:
//
//	Profile   2 sample, 4 location, 5 function, 6 string_table
//	Sample    1 location_id (innermost first), 2 value (count, nanoseconds), 3 label
//	Label     1 key, 2 str (both in the string table)
//	Location  1 id, 4 line (innermost first, where functions were inlined)
//	Line      1 function_id
//	Function  1 id, 2 name (in the string table)
func readProfile(r io.Reader) ([]sample, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("CPU profile: %w", err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("CPU profile: %w", err)
	}
	var p profile
	if err := p.read(b); err != nil {
		return nil, fmt.Errorf("CPU profile: %w", err)
	}
	return p.resolve()
}

// profile is a Profile as it is encoded: names are numbers in strings.
type profile struct {
	strings   []string
	functions map[uint64]uint64   // id -> name
	locations map[uint64][]uint64 // id -> functions
	samples   []rawSample
}

type rawSample struct {
	locations, values []uint64
	labels            [][2]uint64
}

func (p *profile) read(b []byte) error {
	p.functions, p.locations = make(map[uint64]uint64), make(map[uint64][]uint64)
	return fields(b, func(number protowire.Number, _ uint64, b []byte) error {
		switch number {
		case 2:
			return p.readSample(b)
		case 4:
			return p.readLocation(b)
		case 5:
			return p.readFunction(b)
		case 6:
			p.strings = append(p.strings, string(b))
		}
		return nil
	})
}

func (p *profile) readSample(b []byte) error {
	var s rawSample
	err := fields(b, func(number protowire.Number, v uint64, b []byte) (err error) {
		switch number {
		case 1:
			s.locations, err = appendNumbers(s.locations, v, b)
		case 2:
			s.values, err = appendNumbers(s.values, v, b)
		case 3:
			var label [2]uint64
			err = fields(b, func(number protowire.Number, v uint64, _ []byte) error {
				if number == 1 || number == 2 {
					label[number-1] = v
				}
				return nil
			})
			s.labels = append(s.labels, label)
		}
		return err
	})
	p.samples = append(p.samples, s)
	return err
}

func (p *profile) readLocation(b []byte) error {
	var id uint64
	var functions []uint64
	err := fields(b, func(number protowire.Number, v uint64, b []byte) error {
		switch number {
		case 1:
			id = v
		case 4:
			return fields(b, func(number protowire.Number, v uint64, _ []byte) error {
				if number == 1 {
					functions = append(functions, v)
				}
				return nil
			})
		}
		return nil
	})
	p.locations[id] = functions
	return err
}

func (p *profile) readFunction(b []byte) error {
	var id, name uint64
	err := fields(b, func(number protowire.Number, v uint64, _ []byte) error {
		switch number {
		case 1:
			id = v
		case 2:
			name = v
		}
		return nil
	})
	p.functions[id] = name
	return err
}

// resolve puts names for numbers.
func (p *profile) resolve() ([]sample, error) {
	name := func(i uint64) (string, error) {
		if i >= uint64(len(p.strings)) {
			return "", fmt.Errorf("CPU profile: string %d of %d", i, len(p.strings))
		}
		return p.strings[i], nil
	}
	samples := make([]sample, len(p.samples))
	for i, raw := range p.samples {
		if len(raw.values) < 2 {
			return nil, fmt.Errorf("CPU profile: sample with %d values, want a count and a time", len(raw.values))
		}
		s := sample{cpu: time.Duration(raw.values[1]), labels: make(map[string]string, len(raw.labels))}
		for _, location := range raw.locations {
			for _, function := range p.locations[location] {
				f, err := name(p.functions[function])
				if err != nil {
					return nil, err
				}
				s.stack = append(s.stack, f)
			}
		}
		for _, label := range raw.labels {
			key, err := name(label[0])
			value, valueErr := name(label[1])
			if err := errors.Join(err, valueErr); err != nil {
				return nil, err
			}
			s.labels[key] = value
		}
		samples[i] = s
	}
	return samples, nil
}

// fields calls f with each field of a protobuf message: v is set for a varint, b
// for what has a length.
func fields(b []byte, f func(number protowire.Number, v uint64, b []byte) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		var v uint64
		var inner []byte
		switch kind {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			inner, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if err := f(number, v, inner); err != nil {
			return err
		}
	}
	return nil
}

// appendNumbers appends a repeated number, which comes packed or one by one.
func appendNumbers(to []uint64, v uint64, packed []byte) ([]uint64, error) {
	if packed == nil {
		return append(to, v), nil
	}
	for len(packed) > 0 {
		v, n := protowire.ConsumeVarint(packed)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		to, packed = append(to, v), packed[n:]
	}
	return to, nil
}
