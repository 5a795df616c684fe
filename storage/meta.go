package storage

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"tangled/message"
)

// formatVersion 2 has the last anchor in a row of its own; in version 1 it was the
// last one with a commitment, which says too much while a store is seeded.
const formatVersion = 2

// checkMeta refuses a directory that is not ours, and signs a new one.
func (s *Store) checkMeta(network message.NetworkID) error {
	format, err := s.meta("format")
	if err != nil {
		return err
	}
	if format == nil {
		b := s.db.NewBatch()
		defer b.Close()
		_ = b.Set(metaKey("format"), binary.BigEndian.AppendUint32(nil, formatVersion), nil)
		_ = b.Set(metaKey("network"), network[:], nil)
		return s.apply(b)
	}
	if len(format) != 4 {
		return &CorruptionError{tableMeta, []byte("format"), fmt.Errorf("%d bytes, want 4", len(format))}
	}
	if has := binary.BigEndian.Uint32(format); has > formatVersion {
		return &FormatError{Dir: s.dir, Has: has, Want: formatVersion}
	}
	has, err := s.meta("network")
	if err != nil {
		return err
	}
	if len(has) != len(network) {
		return &CorruptionError{tableMeta, []byte("network"), fmt.Errorf("%d bytes, want %d", len(has), len(network))}
	}
	if message.NetworkID(has) != network {
		return &NetworkError{Dir: s.dir, Has: [8]byte(has), Want: network}
	}
	if binary.BigEndian.Uint32(format) < formatVersion {
		return s.migrate()
	}
	return nil
}

// migrate makes a store of version 1 one of version 2, in one synced batch.
func (s *Store) migrate() error {
	in := table(tableCommitment, anchorKeySize)
	in.descending = true
	last, ok, err := first(rows(s.db, in, decodeAnchor))
	if err != nil {
		return err
	}
	b := s.db.NewBatch()
	defer b.Close()
	_ = b.Set(metaKey("format"), binary.BigEndian.AppendUint32(nil, formatVersion), nil)
	if ok {
		putNumber(b, "anchor", last)
	}
	return s.apply(b)
}

// putNumber sets a row of the meta table that is a number.
func putNumber(b *pebble.Batch, name string, n uint64) {
	_ = b.Set(metaKey(name), binary.BigEndian.AppendUint64(nil, n), nil)
}

// number reads a row of the meta table that is a number; zero if there is none.
func (s *Store) number(name string) (uint64, error) {
	b, err := s.meta(name)
	if err != nil || b == nil {
		return 0, err
	}
	if len(b) != 8 {
		return 0, &CorruptionError{tableMeta, []byte(name), fmt.Errorf("%d bytes, want 8", len(b))}
	}
	return binary.BigEndian.Uint64(b), nil
}

// meta reads a row of the meta table; nil if there is none.
func (s *Store) meta(name string) ([]byte, error) {
	value, _, err := find(s.db, metaKey(name), decodeBytes)
	return value, err
}

func (s *Store) loadCount() error {
	n, err := s.number("count")
	s.count.Store(n)
	return err
}

// Count is how many messages are stored.
func (s *Store) Count() uint64 { return s.count.Load() }
