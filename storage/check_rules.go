package storage

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"

	"tangled/message"
)

// hash is what a row adds to a sum.
func (c *checker) hash(row []byte) uint64 { return maphash.Bytes(c.seed, row) }

// message checks a message and adds up the index rows that it should have.
func (c *checker) message(key, value []byte) error {
	r, err := decodeRecord(key, value)
	if err != nil {
		return err
	}
	rows, err := c.s.indexRows(r.Message)
	for _, row := range rows {
		sum := &c.issuers[0]
		if row[0] == tableTopic {
			sum = &c.topics[0]
		}
		*sum += c.hash(row)
	}
	return err
}

// indexRows are the keys of the index rows that lead to a message.
func (s *Store) indexRows(m *message.Message) ([][]byte, error) {
	id := m.ID()
	number, ok := s.issuers.lookup(string(m.Issuer[:]))
	if !ok {
		return nil, errors.New("its issuer has no number")
	}
	rows := [][]byte{indexKey(tableIssuer, number, id)}
	if m.Kind != message.KindData {
		return rows, nil
	}
	data, err := m.Data()
	if err != nil {
		return rows, err
	}
	if number, ok = s.topics.lookup(data.Topic); !ok {
		return rows, errors.New("its topic has no number")
	}
	return append(rows, indexKey(tableTopic, number, id)), nil
}

func (c *checker) index(sum *uint64) func(key, value []byte) error {
	return func(key, value []byte) error {
		*sum += c.hash(key)
		return nil
	}
}

func (c *checker) final(key, value []byte) error {
	f, err := decodeFinal(key, value)
	if err != nil {
		return err
	}
	if f.Anchor == 0 || f.Anchor > c.anchor {
		return c.above(f.Anchor)
	}
	list, body := c.gap(f.Anchor)
	id := message.ID(key[1:])
	if !list {
		c.finals[0] += c.hash(orderRow(f, id))
	}
	if !body && c.finalBodies.missing(messageKey(id)) {
		return errNoMessage
	}
	return nil
}

// above is what is wrong with a row of an anchor that does not count; nothing
// while a seed is under way.
func (c *checker) above(anchor uint64) error {
	if anchor != 0 && c.seeding {
		return nil
	}
	return fmt.Errorf("anchor %d, the last is %d", anchor, c.anchor)
}

// orderRow is the row of the order that a message's place stands for, key and
// value in one.
func orderRow(f Final, id message.ID) []byte {
	return FinalMessage{id, f.Outcome}.append(orderKey(f.Anchor, f.Index))
}

// place is a row of the order.
type place struct {
	anchor uint64
	index  uint32
	id     message.ID
}

func (c *checker) order(key, value []byte) error {
	p, err := decodePosition(key, value)
	if err != nil {
		return err
	}
	if p.Anchor == 0 || p.Anchor > c.anchor {
		return c.above(p.Anchor)
	}
	if list, _ := c.gap(p.Anchor); list {
		return nil
	}
	c.finals[1] += c.hash(append(bytes.Clone(key), value...))
	before := c.place
	c.place = place{p.Anchor, p.Index, p.ID}
	switch {
	case before.anchor != p.Anchor && p.Index != 0, before.anchor == p.Anchor && p.Index != before.index+1:
		if c.unreadable[tableOrder] {
			return nil // what lacks is told
		}
		return errors.New("no row of the index before")
	case before.anchor == p.Anchor && before.id.Compare(p.ID) >= 0:
		return errors.New("not after the message before")
	}
	return nil
}

func (c *checker) commitment(key, _ []byte) error {
	anchor, err := decodeAnchor(key, nil)
	if err != nil {
		return err
	}
	if anchor > c.anchor {
		return c.above(anchor)
	}
	c.noCommitment(anchor)
	c.expectedAnchor = anchor + 1
	return nil
}

func (c *checker) endOfCommitments() { c.noCommitment(c.anchor + 1) }

// noCommitment reports the first of a stretch of anchors that have no commitment
// and are in no gap.
func (c *checker) noCommitment(before uint64) {
	if c.unreadable[tableCommitment] {
		return
	}
	for anchor := c.expectedAnchor; anchor < before; anchor++ {
		if g, ok := gapAt(c.gaps, anchor); ok && g.Reason != GapTopic {
			anchor = g.Last
			continue
		}
		c.damage(tableCommitment, anchorKey(tableCommitment, anchor)[1:], fmt.Errorf("no commitment up to %d", before-1))
		return
	}
}

func (c *checker) pending(key, _ []byte) error {
	if c.pendingBodies.missing(messageKey(message.ID(key[1:]))) {
		return errNoMessage
	}
	return nil
}

// compare finds the rows by which tables differ, where their sums do.
func (c *checker) compare() error {
	if c.topics[0] != c.topics[1] || c.issuers[0] != c.issuers[1] {
		for _, t := range []checked{
			{tableMessage, idKeySize, c.indexed},
			{tableTopic, indexKeySize, c.indexes},
			{tableIssuer, indexKeySize, c.indexes},
		} {
			if err := c.walkAgain(t); err != nil {
				return err
			}
		}
	}
	if c.finals[0] == c.finals[1] {
		return nil
	}
	if err := c.walkAgain(checked{tableFinal, idKeySize, c.listed}); err != nil {
		return err
	}
	return c.walkAgain(checked{tableOrder, orderKeySize, c.placed})
}

// walkAgain is walk without what was told the first time.
func (c *checker) walkAgain(t checked) error {
	again := *c
	again.report = CheckReport{}
	err := again.walk(checked{t.table, 0, func(key, value []byte) error {
		if len(key) == t.keySize {
			if err := t.row(key, value); err != nil {
				c.damage(t.table, key[1:], err)
			}
		}
		return nil
	}})
	return err
}

// indexed tells which index row of a message is missing.
func (c *checker) indexed(key, value []byte) error {
	r, err := decodeRecord(key, value)
	if err != nil {
		return nil // told already
	}
	rows, _ := c.s.indexRows(r.Message)
	for _, row := range rows {
		if _, ok, err := find(c.snap, row, decodeNothing); err == nil && !ok {
			return fmt.Errorf("no row in table %q", row[0])
		}
	}
	return nil
}

// indexes tells that an index row leads to no message, or to one that it does not
// belong to.
func (c *checker) indexes(key, _ []byte) error {
	id, _ := idOf(key)
	r, ok, err := find(c.snap, messageKey(id), decodeRecord)
	if err != nil {
		return nil // told already
	}
	if !ok {
		return errNoMessage
	}
	rows, _ := c.s.indexRows(r.Message)
	for _, row := range rows {
		if bytes.Equal(row, key) {
			return nil
		}
	}
	return fmt.Errorf("message %v is of another number", id)
}

// listed tells that where a message became final is not in the order.
func (c *checker) listed(key, value []byte) error {
	f, err := decodeFinal(key, value)
	if err != nil || f.Anchor > c.anchor {
		return nil // told already
	}
	if list, _ := c.gap(f.Anchor); list {
		return nil
	}
	want := orderRow(f, message.ID(key[1:]))
	has, ok, err := find(c.snap, want[:orderKeySize], decodeBytes)
	if err == nil && (!ok || !bytes.Equal(has, want[orderKeySize:])) {
		return fmt.Errorf("not at index %d of anchor %d", f.Index, f.Anchor)
	}
	return nil
}

// placed tells that a row of the order has no message that became final there.
func (c *checker) placed(key, value []byte) error {
	p, err := decodePosition(key, value)
	if err != nil || p.Anchor > c.anchor {
		return nil // told already
	}
	if list, _ := c.gap(p.Anchor); list {
		return nil
	}
	f, ok, err := find(c.snap, idKey(tableFinal, p.ID), decodeFinal)
	if err == nil && (!ok || f != Final{p.Anchor, p.Index, p.Outcome}) {
		return fmt.Errorf("message %v is not final there", p.ID)
	}
	return nil
}
