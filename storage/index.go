package storage

import (
	"bytes"
	"fmt"
	"iter"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"tangled/message"
)

// run is a stretch of one number's index rows, read ahead.
type run struct {
	number uint32
	ids    []message.ID
	from   Query // the selection behind ids
	done   bool
}

// readAhead is how many rows of an index are read at once.
const readAhead = 64

// readIndex merges the rows of several numbers of an index into one sequence
// by ID. One iterator serves them all in turn: an open iterator a topic would
// pin memory and files for as long as the client takes to read.
func (v *view) readIndex(table byte, numbers []uint32) iter.Seq2[Record, error] {
	return v.readIndexBy(v.query, table, numbers)
}

// readIndexBy is readIndex within the bounds of another query.
func (v *view) readIndexBy(q Query, table byte, numbers []uint32) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		it, err := v.snap.NewIter(&pebble.IterOptions{LowerBound: []byte{table}, UpperBound: []byte{table + 1}})
		if err != nil {
			yield(Record{}, fmt.Errorf("read index: %w", err))
			return
		}
		defer it.Close()
		runs := make([]*run, len(numbers))
		for i, number := range numbers {
			runs[i] = &run{number: number, from: q}
		}
		for {
			next, err := nextRun(it, table, runs, q.Descending)
			if err != nil {
				yield(Record{}, err)
				return
			}
			if next == nil {
				return
			}
			id := next.ids[0]
			next.ids = next.ids[1:]
			r, err := v.get(table, id)
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// nextRun fills the runs that ran dry and returns the one whose first ID comes
// first; nil when all are done.
func nextRun(it *pebble.Iterator, table byte, runs []*run, descending bool) (*run, error) {
	var best *run
	for _, r := range runs {
		if len(r.ids) == 0 && !r.done {
			if err := r.fill(it, table); err != nil {
				return nil, err
			}
		}
		if len(r.ids) == 0 {
			continue
		}
		if best == nil || (r.ids[0].Compare(best.ids[0]) < 0) != descending {
			best = r
		}
	}
	return best, nil
}

// fill reads the next rows of r's number.
func (r *run) fill(it *pebble.Iterator, table byte) error {
	lower, upper := r.from.bounds()
	low, high := indexKey(table, r.number, lower), indexKey(table, r.number, upper)
	ok := it.SeekGE(low)
	inside := func() bool { return bytes.Compare(it.Key(), high) < 0 }
	if r.from.Descending {
		ok = it.SeekLT(high)
		inside = func() bool { return bytes.Compare(it.Key(), low) >= 0 }
	}
	r.ids = slices.Grow(r.ids[:0:0], readAhead)
	for ; ok && len(r.ids) < cap(r.ids) && inside(); ok = step(it, r.from.Descending) {
		id, _ := idOf(it.Key())
		r.ids = append(r.ids, id)
	}
	if err := it.Error(); err != nil {
		return &CorruptionError{table, low, err}
	}
	if len(r.ids) == 0 {
		r.done = true
		return nil
	}
	r.from.After = r.ids[len(r.ids)-1]
	return nil
}
