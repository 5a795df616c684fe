package storage

import (
	"context"
	"iter"

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
	// WithFinal fills Record.Final.
	WithFinal bool
	// WithReplaced selects also what its issuer replaced by a later message
	// before it became final. Readers of readings want one of the two; whoever
	// rebuilds the DAG or serves it to a peer needs both.
	WithReplaced bool
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
		v := s.newView(q)
		defer v.close()
		for r, err := range until(ctx, v.candidates()) {
			var taken bool
			if err == nil {
				taken, err = v.take(&r)
			}
			if err != nil {
				yield(Record{}, err)
				return
			}
			if taken && !yield(r, nil) {
				return
			}
		}
	}
}

// LoadFrom reads all messages from a timestamp on, in nanoseconds since the Unix
// epoch, with where they became final: what the live DAG is built from at a
// start.
func (s *Store) LoadFrom(ctx context.Context, from uint64) iter.Seq2[Record, error] {
	return s.Select(ctx, Query{From: from, WithFinal: true, WithReplaced: true})
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

// candidates reads a superset of what the query selects by the table that
// narrows it best.
func (v *view) candidates() iter.Seq2[Record, error] {
	q := v.query
	if q.Topics.String() != "" && !q.Topics.All() {
		numbers := v.store.matchingTopics(q.Topics)
		if len(numbers) <= mergeLimit {
			return v.readIndex(tableTopic, numbers)
		}
	}
	if q.Issuer != nil {
		var numbers []uint32
		if number, ok := v.store.issuers.lookup(string(q.Issuer[:])); ok {
			numbers = append(numbers, number)
		}
		return v.readIndex(tableIssuer, numbers)
	}
	lower, upper := q.bounds()
	in := span{lower: messageKey(lower), upper: messageKey(upper), keySize: idKeySize, descending: q.Descending}
	return rows(v.snap, in, decodeRecord)
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
