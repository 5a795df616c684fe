package storage

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"tangled/message"
)

// view is what one selection reads: all of it from one snapshot, or a message
// could be left out for a newer one that the selection does not see.
type view struct {
	store    *Store
	snap     *pebble.Snapshot
	query    Query
	finals   *follower
	replaced *follower // nil where no message was ever replaced
}

func (s *Store) newView(q Query) *view {
	v := &view{store: s, snap: s.db.NewSnapshot(), query: q}
	v.finals = newFollower(v.snap, tableFinal, q.Descending)
	// After the snapshot was taken: see putReplaced.
	if s.replacements.Load() && !q.WithReplaced {
		v.replaced = newFollower(v.snap, tableReplaced, q.Descending)
	}
	return v
}

func (v *view) close() {
	v.finals.close()
	v.replaced.close()
	_ = v.snap.Close() // always nil
}

// take completes a candidate and tells whether it is selected.
func (v *view) take(r *Record) (bool, error) {
	if !v.query.accepts(r.Message) {
		return false, nil
	}
	if hidden, err := v.hides(r.Message); err != nil || hidden {
		return false, err
	}
	if v.query.WithFinal {
		final, ok, err := at(v.finals, idKey(tableFinal, r.Message.ID()), decodeFinal)
		if err != nil {
			return false, err
		}
		if ok && v.store.believed(final.Anchor) {
			r.Final = &final
		}
	}
	return true, nil
}

// get reads the message that a row of an index names.
func (v *view) get(index byte, id message.ID) (Record, error) {
	r, ok, err := find(v.snap, messageKey(id), decodeRecord)
	if err == nil && !ok {
		err = &CorruptionError{index, id[:], errors.New("index row without a message")}
	}
	return r, err
}

// near is how many rows a follower steps over before it seeks, and how many keys it
// then seeks at once: the next ones are likely as far apart.
const near = 8

// follower looks up the rows of a table for keys that come in order, or in
// reverse order, by an iterator that goes along: where most keys have a row, as
// most messages are final, a step costs a tenth of a look-up.
type follower struct {
	from       pebble.Reader
	table      byte
	descending bool
	it         *pebble.Iterator // nil until the first key
	ok         bool             // it is at a row
	seeks      int              // so many keys are sought at once
}

func newFollower(from pebble.Reader, table byte, descending bool) *follower {
	return &follower{from: from, table: table, descending: descending}
}

// close may be called on a nil follower.
func (f *follower) close() {
	if f != nil && f.it != nil {
		_ = f.it.Close() // its error was told by find
	}
}

// at reads the row with a key, which must not come before the last one asked
// for; false if there is none.
func at[T any](f *follower, key []byte, decode decoder[T]) (v T, ok bool, err error) {
	if ok, err = f.find(key); err != nil || !ok {
		return v, false, err
	}
	value, err := f.it.ValueAndErr()
	if err != nil {
		return v, false, &CorruptionError{f.table, key[1:], err}
	}
	v, err = decodeRow(0, key, value, decode)
	return v, err == nil, err
}

// find goes to the row with key, or behind where it would be.
func (f *follower) find(key []byte) (bool, error) {
	if f.it == nil {
		it, err := f.from.NewIter(&pebble.IterOptions{LowerBound: []byte{f.table}, UpperBound: []byte{f.table + 1}})
		if err != nil {
			return false, fmt.Errorf("read table %q: %w", f.table, err)
		}
		f.it = it
		f.seek(key)
	}
	most := near
	if f.seeks > 0 {
		f.seeks--
		most = 0
	}
	for steps := 0; f.ok; steps++ {
		order := bytes.Compare(f.it.Key(), key)
		if f.descending {
			order = -order
		}
		switch {
		case order >= 0:
			return order == 0, nil
		case steps < most:
			f.ok = step(f.it, f.descending)
		default:
			if steps > 0 {
				f.seeks = near // in vain
			}
			f.seek(key)
		}
	}
	if err := f.it.Error(); err != nil {
		return false, &CorruptionError{f.table, key[1:], err}
	}
	return false, nil
}

// seek goes to the row with key or the next one in order.
func (f *follower) seek(key []byte) {
	if f.descending {
		f.ok = f.it.SeekLT(append(bytes.Clone(key), 0))
	} else {
		f.ok = f.it.SeekGE(key)
	}
}
