package storage

import (
	"context"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"tangled/message"
)

// doomed is a message older than a Pruning's Before.
type doomed struct {
	id    message.ID
	size  int // bytes of its encoding
	final *Final
	kept  *Record // not nil if it is held back
	proof []byte
	// value is the row's; it is good until the next message.
	value func() ([]byte, error)
}

// ctxEvery is how many rows are read between two looks at the context.
const ctxEvery = 1024

// doomed reads the messages from an ID on that are older than p.Before, of most of
// them no more than the key.
func (v *view) doomed(ctx context.Context, p Pruning, from message.ID) iter.Seq2[doomed, error] {
	return func(yield func(doomed, error) bool) {
		it, err := v.snap.NewIter(&pebble.IterOptions{LowerBound: messageKey(from), UpperBound: messageKey(floor(p.Before))})
		if err != nil {
			yield(doomed{}, fmt.Errorf("read table %q: %w", tableMessage, err))
			return
		}
		defer it.Close()
		nextKept, stop := iter.Pull2(v.kept(ctx, p, from))
		defer stop()
		kept, err, more := nextKept()
		for n, ok := 0, it.First(); ok; n, ok = n+1, it.Next() {
			if err == nil && n%ctxEvery == 0 {
				err = ctx.Err()
			}
			var d doomed
			if err == nil {
				d, err = v.doom(it)
			}
			if err != nil {
				yield(doomed{}, err)
				return
			}
			if more && kept.id == d.id {
				d.kept, d.proof = kept.kept, kept.proof
				kept, err, more = nextKept()
			}
			if !yield(d, nil) {
				return
			}
		}
		if err := it.Error(); err != nil {
			yield(doomed{}, &CorruptionError{tableMessage, nil, err})
		}
	}
}

// doom is the message whose row the iterator is at.
func (v *view) doom(it *pebble.Iterator) (doomed, error) {
	key := it.Key()
	if len(key) != idKeySize {
		return doomed{}, &CorruptionError{tableMessage, append([]byte{}, key[1:]...), fmt.Errorf("key of %d bytes, want %d", len(key), idKeySize)}
	}
	value := it.LazyValue()
	d := doomed{id: message.ID(key[1:]), size: max(0, value.Len()-seenSize), value: it.ValueAndErr}
	final, ok, err := at(v.finals, idKey(tableFinal, d.id), decodeFinal)
	if ok && v.store.believed(final.Anchor) {
		d.final = &final
	}
	return d, err
}

// kept reads the messages that are held back, ascending, with their proofs.
func (v *view) kept(ctx context.Context, p Pruning, from message.ID) iter.Seq2[doomed, error] {
	return func(yield func(doomed, error) bool) {
		if p.Keep == nil {
			return
		}
		finals := newFollower(v.snap, tableFinal, false)
		defer finals.close()
		for r, err := range until(ctx, v.keepable(p, from)) {
			var keep bool
			var d doomed
			if err == nil {
				d, keep, err = v.judge(p, finals, r)
			}
			if err != nil {
				yield(doomed{}, err)
				return
			}
			if keep && !yield(d, nil) {
				return
			}
		}
	}
}

// judge asks whether a message is held back.
func (v *view) judge(p Pruning, finals *follower, r Record) (d doomed, keep bool, err error) {
	final, ok, err := at(finals, idKey(tableFinal, r.Message.ID()), decodeFinal)
	if err != nil {
		return doomed{}, false, err
	}
	if ok && v.store.believed(final.Anchor) {
		r.Final = &final
	}
	keep, proof, err := p.Keep(r)
	if err != nil {
		return doomed{}, false, fmt.Errorf("keep %v: %w", r.Message.ID(), err)
	}
	return doomed{id: r.Message.ID(), kept: &r, proof: proof}, keep, nil
}

// keepable reads the messages that may be held back, by their topics where those
// are few.
func (v *view) keepable(p Pruning, from message.ID) iter.Seq2[Record, error] {
	in := span{lower: messageKey(from), upper: messageKey(floor(p.Before)), keySize: idKeySize}
	if p.KeepTopics == nil {
		return rows(v.snap, in, decodeRecord)
	}
	if numbers := v.store.topics.matching(p.KeepTopics); len(numbers) <= mergeLimit {
		q := v.query
		if !from.IsZero() {
			q.After = before(from)
		}
		return v.readIndexBy(q, tableTopic, numbers)
	}
	return func(yield func(Record, error) bool) {
		for r, err := range rows(v.snap, in, decodeRecord) {
			if err == nil {
				data, dataErr := r.Message.Data()
				if dataErr != nil || !p.KeepTopics(data.Topic) {
					continue
				}
			}
			if !yield(r, err) {
				return
			}
		}
	}
}
