package catchup

import "encoding/binary"

// reader takes big-endian fields off the front of a slice. Once a field does not
// fit, short is set and every further field is zero.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if r.short || n > len(r.b) {
		r.short = true
		return nil
	}
	head := r.b[:n:n]
	r.b = r.b[n:]
	return head
}

func (r *reader) uint8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) hash() (h [32]byte) {
	copy(h[:], r.take(len(h)))
	return h
}

// end refuses what is too short or too long to be what.
func (r *reader) end(what string) error {
	switch {
	case r.short:
		return invalidf(ReasonEncoding, "%s ends within a field", what)
	case len(r.b) > 0:
		return invalidf(ReasonEncoding, "%d bytes after the %s", len(r.b), what)
	}
	return nil
}
