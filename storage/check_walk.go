package storage

import (
	"bytes"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// walk reads a table to its end.
func (c *checker) walk(t checked) error {
	lower, upper := []byte{t.table}, []byte{t.table + 1}
	it, err := c.snap.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return fmt.Errorf("read table %q: %w", t.table, err)
	}
	defer it.Close()
	n := uint64(0)
	last := lower
	for ok := it.First(); ; ok = it.Next() {
		if !ok && it.Error() != nil {
			ok = c.skip(it, t, last, upper)
		}
		if !ok {
			break
		}
		key := it.Key()
		last = append(last[:0:0], key...)
		if n++; n%ctxEvery == 0 {
			if err := c.ctx.Err(); err != nil {
				return err
			}
			if n%(64*ctxEvery) == 0 {
				c.tell(c.bytes(lower, last))
			}
		}
		c.row(t, it, last)
	}
	c.report.Tables = append(c.report.Tables, TableRows{t.table, n})
	return c.ctx.Err()
}

// row checks the row that the iterator is at.
func (c *checker) row(t checked, it *pebble.Iterator, key []byte) {
	value, err := it.ValueAndErr()
	switch {
	case err != nil:
	case t.keySize != 0 && len(key) != t.keySize:
		err = fmt.Errorf("key of %d bytes, want %d", len(key), t.keySize)
	default:
		err = t.row(key, value)
	}
	if err != nil {
		c.damage(t.table, key[1:], err)
	}
}

// skip goes to the first row behind a stretch that cannot be read, which begins
// behind a key, and reports the stretch; false if no row is behind it. Pebble does
// not tell where a damaged block ends: the place is found by halving, in some
// hundred tries, each of which reads the block.
func (c *checker) skip(it *pebble.Iterator, t checked, behind, end []byte) bool {
	cause := it.Error()
	c.unreadable[t.table] = true
	seek := func(key []byte) bool {
		it.SeekLT(behind) // where it failed Pebble would seek by going on, into the same block
		return it.SeekGE(key)
	}
	size := max(t.keySize, len(behind)) + 1
	bad, good := padded(behind, size), padded(end, size)
	for {
		middle, ok := between(bad, good)
		if !ok || c.ctx.Err() != nil {
			break
		}
		seek(middle)
		if it.Error() != nil {
			bad = middle
		} else {
			good = middle
		}
	}
	ok := seek(good)
	to := []byte("the end")
	if ok {
		to = fmt.Appendf(nil, "%x", it.Key()[1:])
	}
	c.damage(t.table, behind[1:], fmt.Errorf("unreadable from behind this key to %s: %w", to, cause))
	return ok
}

func padded(key []byte, size int) []byte {
	return append(bytes.Clone(key), make([]byte, size-len(key))...)
}

// between is the middle of two keys of one length, taken as numbers; false if
// there is nothing between them.
func between(a, b []byte) ([]byte, bool) {
	sum := make([]byte, len(a)+1) // with the carry in front
	carry := 0
	for i := len(a) - 1; i >= 0; i-- {
		n := int(a[i]) + int(b[i]) + carry
		sum[i+1], carry = byte(n), n>>8
	}
	sum[0] = byte(carry)
	rest := 0
	for i := range sum {
		n := rest<<8 | int(sum[i])
		sum[i], rest = byte(n/2), n%2
	}
	middle := sum[1:]
	return middle, !bytes.Equal(middle, a)
}
