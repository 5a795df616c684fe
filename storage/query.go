package storage

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"tangled/message"
)

// mergeLimit is how many topics are read side by side from the index; beyond
// that, reading all messages of the time and looking at each topic is cheaper.
const mergeLimit = 256

// Query selects stored messages. The zero value selects all, the oldest first.
type Query struct {
	// Topics selects data messages by topic; the zero Filter selects all
	// messages of every kind.
	Topics message.Filter
	// Issuer, if not nil, selects the messages it signed.
	Issuer *message.Issuer
	// From and To bound the timestamp, in nanoseconds since the Unix epoch:
	// From <= timestamp < To. To zero means no end.
	From, To uint64
	// Descending gives the newest first.
	Descending bool
	// After, if not zero, is the last ID of the page before: the answer goes on
	// behind it in the chosen order.
	After message.ID
}

// bounds are the least ID and the least ID above the selection.
func (q Query) bounds() (lower, upper message.ID) {
	lower, upper = floor(q.From), ceiling()
	if q.To != 0 {
		upper = floor(q.To)
	}
	if q.After.IsZero() {
		return lower, upper
	}
	if q.Descending {
		if q.After.Compare(upper) < 0 {
			upper = q.After
		}
	} else if next := after(q.After); next.Compare(lower) > 0 {
		lower = next
	}
	return lower, upper
}

// Has tells whether id is stored. Unlike Pebble's Get it asks the bloom
// filters of the last level too, so that an unknown ID costs no read.
func (s *Store) Has(id message.ID) bool {
	if s.enter() != nil {
		return false
	}
	defer s.readers.Done()
	it, err := s.db.NewIter(&pebble.IterOptions{
		LowerBound:   []byte{tableMessage},
		UpperBound:   []byte{tableMessage + 1},
		UseL6Filters: true,
	})
	if err != nil {
		return false
	}
	found := it.SeekPrefixGE(messageKey(id))
	return it.Close() == nil && found
}

// Get reads one message. The error is ErrNotFound, a *CorruptionError, or that
// the store is closed.
func (s *Store) Get(id message.ID) (Record, error) {
	if err := s.enter(); err != nil {
		return Record{}, err
	}
	defer s.readers.Done()
	return s.get(id)
}

func (s *Store) get(id message.ID) (Record, error) {
	value, closer, err := s.db.Get(messageKey(id))
	if errors.Is(err, pebble.ErrNotFound) {
		return Record{}, ErrNotFound
	}
	if err != nil {
		return Record{}, &CorruptionError{tableMessage, id[:], err}
	}
	defer closer.Close()
	return decode(id, value)
}

// decode reads a row of the message table and checks that the message is the
// one its key names. The record does not share memory with value.
func decode(id message.ID, value []byte) (Record, error) {
	if len(value) < 8 {
		return Record{}, &CorruptionError{tableMessage, id[:], fmt.Errorf("value of %d bytes", len(value))}
	}
	m, err := message.Decode(value[8:])
	if err != nil {
		return Record{}, &CorruptionError{tableMessage, id[:], err}
	}
	if m.ID() != id {
		return Record{}, &CorruptionError{tableMessage, id[:], fmt.Errorf("holds message %v", m.ID())}
	}
	return Record{Message: m, Seen: binary.BigEndian.Uint64(value)}, nil
}

// Newest is the greatest stored ID; false in an empty store.
func (s *Store) Newest() (message.ID, bool, error) {
	if err := s.enter(); err != nil {
		return message.ID{}, false, err
	}
	defer s.readers.Done()
	for r, err := range s.readMessages(Query{Descending: true}) {
		if err != nil {
			return message.ID{}, false, err
		}
		return r.Message.ID(), true, nil
	}
	return message.ID{}, false, nil
}

// Select reads the messages that q selects, in the order of their IDs, as they
// were when it began. An error ends the sequence. The caller reads on or breaks
// off; the store cannot be closed in between.
func (s *Store) Select(ctx context.Context, q Query) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if err := s.enter(); err != nil {
			yield(Record{}, err)
			return
		}
		defer s.readers.Done()
		for r, err := range s.candidates(q) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(Record{}, err)
				return
			}
			if q.accepts(r.Message) && !yield(r, nil) {
				return
			}
		}
	}
}

// accepts checks what the way of reading did not already make sure of.
func (q Query) accepts(m *message.Message) bool {
	if q.Issuer != nil && m.Issuer != *q.Issuer {
		return false
	}
	if q.Topics.String() == "" {
		return true
	}
	data, err := m.Data()
	return err == nil && q.Topics.Match(data.Topic)
}

// candidates reads a superset of what q selects by the table that narrows it
// best.
func (s *Store) candidates(q Query) iter.Seq2[Record, error] {
	if q.Topics.String() != "" && !q.Topics.All() {
		numbers := s.matchingTopics(q.Topics)
		if len(numbers) <= mergeLimit {
			return s.readIndex(tableTopic, numbers, q)
		}
	}
	if q.Issuer != nil {
		var numbers []uint32
		if number, ok := s.issuers.lookup(string(q.Issuer[:])); ok {
			numbers = append(numbers, number)
		}
		return s.readIndex(tableIssuer, numbers, q)
	}
	return s.readMessages(q)
}

func (s *Store) matchingTopics(f message.Filter) []uint32 {
	if !f.Exact() {
		return s.topics.matching(f.Match)
	}
	if number, ok := s.topics.lookup(f.String()); ok {
		return []uint32{number}
	}
	return nil
}

// readMessages walks the message table.
func (s *Store) readMessages(q Query) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		lower, upper := q.bounds()
		it, err := s.db.NewIter(&pebble.IterOptions{
			LowerBound: messageKey(lower),
			UpperBound: messageKey(upper),
		})
		if err != nil {
			yield(Record{}, fmt.Errorf("read messages: %w", err))
			return
		}
		defer it.Close()
		for ok := start(it, q.Descending); ok; ok = step(it, q.Descending) {
			key := it.Key()
			if len(key) != 1+message.IDSize {
				yield(Record{}, &CorruptionError{tableMessage, slices.Clone(key[1:]), fmt.Errorf("key of %d bytes", len(key))})
				return
			}
			r, err := decode(message.ID(key[1:]), it.Value())
			if !yield(r, err) || err != nil {
				return
			}
		}
		if err := it.Error(); err != nil {
			yield(Record{}, &CorruptionError{tableMessage, nil, err})
		}
	}
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
func (s *Store) readIndex(table byte, numbers []uint32, q Query) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{table}, UpperBound: []byte{table + 1}})
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
			r, err := s.get(id)
			if errors.Is(err, ErrNotFound) {
				err = &CorruptionError{table, id[:], errors.New("index row without a message")}
			}
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
	inside := func() bool { return slices.Compare(it.Key(), high) < 0 }
	if r.from.Descending {
		ok = it.SeekLT(high)
		inside = func() bool { return slices.Compare(it.Key(), low) >= 0 }
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
