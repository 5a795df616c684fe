package storage

import (
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"tangled/message"
)

// dropBatch is how many messages of a topic one batch deletes: other writers wait
// meanwhile.
const dropBatch = 2_000

// DropTopic deletes the bodies of a topic's messages that are older than before,
// a time in nanoseconds since the Unix epoch, and the index rows that lead to
// them. Where they became final stays, and the anchors from the first to the last
// that lost a body become a gap. It takes many synced batches, each of which notes
// its gap; what was deleted before an error is told with it. It asks nobody what
// is held: before must not be later than the oldest held message of the topic, nor
// so late that a message may still become final.
func (s *Store) DropTopic(ctx context.Context, topic string, before uint64) (Pruned, error) {
	if err := s.enter(); err != nil {
		return Pruned{}, err
	}
	defer s.readers.Done()
	s.upkeep.Lock()
	defer s.upkeep.Unlock()
	number, ok := s.topics.lookup(topic)
	if !ok {
		return Pruned{}, nil
	}
	d := &topicDrop{number: number, before: floor(before)}
	for more := true; more; {
		err := ctx.Err()
		if err == nil {
			more, err = s.dropSome(d)
		}
		if err != nil {
			return d.Pruned, fmt.Errorf("drop messages of %q: %w", topic, err)
		}
	}
	s.pruned.add(d.before, 0)
	return d.Pruned, nil
}

// topicDrop is how far a DropTopic is.
type topicDrop struct {
	Pruned
	number      uint32
	from        message.ID
	before      message.ID
	first, last uint64 // anchors that lost a body; zero while none did
}

// dropSome is one batch of a DropTopic; false if nothing is left.
func (s *Store) dropSome(d *topicDrop) (more bool, err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.writable(); err != nil {
		return false, err
	}
	in := span{lower: indexKey(tableTopic, d.number, d.from), upper: indexKey(tableTopic, d.number, d.before), keySize: indexKeySize}
	b := s.db.NewBatch()
	defer b.Close()
	next := *d
	n := uint64(0)
	for id, err := range rows(s.db, in, decodeKeyID) {
		if err != nil {
			return false, err
		}
		if n == dropBatch {
			more = true
			next.from = id
			break
		}
		n++
		if err := s.dropOne(b, &next, id); err != nil {
			return false, err
		}
	}
	if n == 0 {
		return false, nil
	}
	gaps := *s.gaps.Load()
	if next.last > 0 {
		gaps = addGap(gaps, Gap{next.first, next.last, GapTopic})
	}
	if err := s.applyGaps(b, gaps, s.count.Load()-min(s.count.Load(), n)); err != nil {
		return false, err
	}
	*d = next
	return more, nil
}

func (s *Store) dropOne(b *pebble.Batch, d *topicDrop, id message.ID) error {
	r, ok, err := find(s.db, messageKey(id), decodeRecord)
	if err != nil {
		return err // without the body, the row of its issuer is not found
	}
	_ = b.Delete(indexKey(tableTopic, d.number, id), nil)
	_ = b.Delete(idKey(tablePending, id), nil)
	d.Messages++
	if ok {
		_ = b.Delete(messageKey(id), nil)
		d.Bytes += uint64(len(r.Message.Bytes()))
		if number, ok := s.issuers.lookup(string(r.Message.Issuer[:])); ok {
			_ = b.Delete(indexKey(tableIssuer, number, id), nil)
		}
	}
	final, ok, err := find(s.db, idKey(tableFinal, id), decodeFinal)
	if err != nil || !ok || !s.believed(final.Anchor) {
		return err
	}
	if d.first == 0 || final.Anchor < d.first {
		d.first = final.Anchor
	}
	d.last = max(d.last, final.Anchor)
	return nil
}
