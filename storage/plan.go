package storage

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"tangled/message"
)

// PrunePlan is what a Prune would delete.
type PrunePlan struct {
	Pruned
	// CompleteFrom would be the anchor from which on everything is here.
	CompleteFrom uint64
	// Topics are the topics that would lose messages, by name. Messages of no topic,
	// such as witnesses, have the empty one.
	Topics []TopicUse
}

// TopicUse is a share of messages.
type TopicUse struct {
	Topic    string
	Messages uint64
	Bytes    uint64 // of their encodings
}

// PlanPrune tells what Prune would delete, and changes nothing. It reads every
// message that would go, and takes no more memory than the topics do.
func (s *Store) PlanPrune(ctx context.Context, p Pruning) (PrunePlan, error) {
	if err := s.enter(); err != nil {
		return PrunePlan{}, err
	}
	defer s.readers.Done()
	plan, err := s.planPrune(ctx, p)
	if err != nil {
		return PrunePlan{}, fmt.Errorf("plan to prune: %w", err)
	}
	return plan, nil
}

func (s *Store) planPrune(ctx context.Context, p Pruning) (plan PrunePlan, err error) {
	if err := s.checkPruning(p); err != nil {
		return plan, err
	}
	v := s.newView(Query{To: max(p.Before, 1), WithReplaced: true})
	defer v.close()
	topics := map[string]*TopicUse{}
	lost := p.Anchor
	for d, err := range v.doomed(ctx, p, message.ID{}) {
		if err != nil {
			return plan, err
		}
		if d.kept != nil {
			plan.Kept++
			continue
		}
		plan.Messages++
		plan.Bytes += uint64(d.size)
		if d.final != nil {
			lost = max(lost, d.final.Anchor)
		}
		topic, err := d.topic()
		if err != nil {
			return plan, err
		}
		use := topics[topic]
		if use == nil {
			use = &TopicUse{Topic: topic}
			topics[topic] = use
		}
		use.Messages++
		use.Bytes += uint64(d.size)
	}
	for _, use := range topics {
		plan.Topics = append(plan.Topics, *use)
	}
	slices.SortFunc(plan.Topics, func(a, b TopicUse) int { return cmp.Compare(a.Topic, b.Topic) })
	plan.CompleteFrom = max(s.CompleteFrom(), lost+1)
	plan.Anchors, err = countAnchors(v.snap, p.Anchor)
	return plan, err
}

// topic is the topic of the message; none if it is damaged.
func (d doomed) topic() (string, error) {
	value, err := d.value()
	if err != nil {
		return "", &CorruptionError{tableMessage, d.id[:], err}
	}
	r, err := decodeRecord(messageKey(d.id), value)
	if err != nil || r.Message.Kind != message.KindData {
		return "", nil
	}
	data, err := r.Message.Data()
	if err != nil {
		return "", nil
	}
	return data.Topic, nil
}
