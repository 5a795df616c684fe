package storage

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"tangled/message"
)

// span is a stretch of one table.
type span struct {
	lower, upper []byte // lower <= key < upper, both with the byte of the table
	keySize      int    // what keys of the table have, if they are of one size
	descending   bool
}

// table is a span over all of a table.
func table(name byte, keySize int) span {
	return span{lower: []byte{name}, upper: []byte{name + 1}, keySize: keySize}
}

// decoder makes a value of a row. It keeps neither key nor value: they are good
// for the call only. Its error need not name the row.
type decoder[T any] func(key, value []byte) (T, error)

// rows reads a span as it was when it began. The error that ends it is a
// *CorruptionError.
func rows[T any](from pebble.Reader, in span, decode decoder[T]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		name := in.lower[0]
		it, err := from.NewIter(&pebble.IterOptions{LowerBound: in.lower, UpperBound: in.upper})
		if err != nil {
			yield(none, fmt.Errorf("read table %q: %w", name, err))
			return
		}
		defer it.Close()
		for ok := start(it, in.descending); ok; ok = step(it, in.descending) {
			value, err := it.ValueAndErr()
			if err != nil {
				break // it.Error tells
			}
			v, err := decodeRow(in.keySize, it.Key(), value, decode)
			if !yield(v, err) || err != nil {
				return
			}
		}
		if err := it.Error(); err != nil {
			yield(none, &CorruptionError{name, nil, err})
		}
	}
}

func decodeRow[T any](keySize int, key, value []byte, decode decoder[T]) (v T, err error) {
	if keySize != 0 && len(key) != keySize {
		err = fmt.Errorf("key of %d bytes, want %d", len(key), keySize)
	} else {
		v, err = decode(key, value)
	}
	if err != nil {
		var none T
		// The key may be an iterator's, and gone when that is closed.
		return none, &CorruptionError{key[0], slices.Clone(key[1:]), err}
	}
	return v, nil
}

func start(it *pebble.Iterator, descending bool) bool {
	if descending {
		return it.Last()
	}
	return it.First()
}

func step(it *pebble.Iterator, descending bool) bool {
	if descending {
		return it.Prev()
	}
	return it.Next()
}

// find reads the row with a key; false if there is none.
func find[T any](from pebble.Reader, key []byte, decode decoder[T]) (v T, ok bool, err error) {
	value, closer, err := from.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return v, false, nil
	}
	if err != nil {
		return v, false, &CorruptionError{key[0], key[1:], err}
	}
	defer closer.Close()
	v, err = decodeRow(0, key, value, decode)
	return v, err == nil, err
}

// read is rows of an open store.
func read[T any](s *Store, in span, decode decoder[T]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		if err := s.enter(); err != nil {
			var none T
			yield(none, err)
			return
		}
		defer s.readers.Done()
		rows(s.db, in, decode)(yield)
	}
}

// lookup is find in an open store.
func lookup[T any](s *Store, key []byte, decode decoder[T]) (v T, ok bool, err error) {
	if err := s.enter(); err != nil {
		return v, false, err
	}
	defer s.readers.Done()
	return find(s.db, key, decode)
}

// until ends a sequence with ctx.
func until[T any](ctx context.Context, seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for v, err := range seq {
			if err == nil && ctx.Err() != nil {
				var none T
				v, err = none, ctx.Err()
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// first is the first of a sequence; false if it is empty.
func first[T any](seq iter.Seq2[T, error]) (v T, ok bool, err error) {
	for v, err := range seq {
		return v, err == nil, err
	}
	return v, false, nil
}

// wantSize tells that a value is not of the one size that it may have.
func wantSize(value []byte, size int) error {
	if len(value) != size {
		return fmt.Errorf("value of %d bytes, want %d", len(value), size)
	}
	return nil
}

// decodeBytes copies a value that is opaque here.
func decodeBytes(_, value []byte) ([]byte, error) { return append([]byte{}, value...), nil }

// decodeID reads a value that is an ID.
func decodeID(_, value []byte) (message.ID, error) {
	if err := wantSize(value, message.IDSize); err != nil {
		return message.ID{}, err
	}
	return message.ID(value), nil
}

// decodeKeyID reads the ID that ends a key.
func decodeKeyID(key, _ []byte) (message.ID, error) {
	id, _ := idOf(key)
	return id, nil
}

// decodeNothing is for rows that need only be there.
func decodeNothing(_, _ []byte) (struct{}, error) { return struct{}{}, nil }
