package storage

import (
	"encoding/binary"
	"fmt"

	"tangled/message"
)

const formatVersion = 1

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
	return nil
}

// meta reads a row of the meta table; nil if there is none.
func (s *Store) meta(name string) ([]byte, error) {
	value, _, err := find(s.db, metaKey(name), decodeBytes)
	return value, err
}

func (s *Store) loadCount() error {
	b, err := s.meta("count")
	if err != nil || b == nil {
		return err
	}
	if len(b) != 8 {
		return &CorruptionError{tableMeta, []byte("count"), fmt.Errorf("%d bytes, want 8", len(b))}
	}
	s.count.Store(binary.BigEndian.Uint64(b))
	return nil
}

// Count is how many messages are stored.
func (s *Store) Count() uint64 { return s.count.Load() }
