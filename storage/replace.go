package storage

import (
	"math"

	"github.com/cockroachdb/pebble/v2"

	"tangled/message"
)

// A reading that did not become final in time is issued again, in a message
// that names the old one. Anybody can write such a name into a message, so a
// claim counts only for messages of the claimant: the issuer is part of the
// row's key.

// putReplaced adds to b that r replaces old; batch are the records that r is one of.
func (s *Store) putReplaced(b *pebble.Batch, old message.ID, r Record, batch []Record) error {
	id, issuer := r.Message.ID(), s.issuers.number(b, string(r.Message.Issuer[:]))
	_ = b.Set(replacedKey(old, issuer), id[:], nil)
	// Before the row can be read, for readers to look for it.
	s.replacements.Store(true)
	if !r.Own {
		return nil
	}
	// A device that issues through this node must not end what this node does
	// for another's message.
	mine, err := s.issued(issuer, old)
	for _, other := range batch {
		mine = mine || other.Message.ID() == old && other.Message.Issuer == r.Message.Issuer
	}
	if err == nil && mine {
		_ = b.Delete(idKey(tablePending, old), nil)
	}
	return err
}

// issued tells whether id is stored and of the issuer with that number.
func (s *Store) issued(issuer uint32, id message.ID) (bool, error) {
	_, ok, err := find(s.db, indexKey(tableIssuer, issuer, id), decodeNothing)
	return ok, err
}

// loadReplaced finds out whether any message was replaced. In most stores none
// was, and nobody has to look.
func (s *Store) loadReplaced() error {
	_, ok, err := first(rows(s.db, table(tableReplaced, replacedKeySize), decodeID))
	s.replacements.Store(ok)
	return err
}

// Replaced is the stored message by which the issuer of id replaced it, whether
// or not id is final; false if there is none. Where id itself is not stored and
// its issuer therefore not known, it is whatever claims to replace it: the
// caller must not take it for proven.
func (s *Store) Replaced(id message.ID) (message.ID, bool, error) {
	if err := s.enter(); err != nil {
		return message.ID{}, false, err
	}
	defer s.readers.Done()
	if !s.replacements.Load() {
		return message.ID{}, false, nil
	}
	snap := s.db.NewSnapshot()
	defer snap.Close()
	in := span{
		lower:   replacedKey(id, 0),
		upper:   append(replacedKey(id, math.MaxUint32), 0),
		keySize: replacedKeySize,
	}
	old, known, err := find(snap, messageKey(id), decodeRecord)
	if err != nil {
		return message.ID{}, false, err
	}
	if known {
		number, _ := s.issuers.lookup(string(old.Message.Issuer[:]))
		in.lower = replacedKey(id, number)
		in.upper = append(replacedKey(id, number), 0)
	}
	for replacement, err := range rows(snap, in, decodeID) {
		if err != nil {
			return message.ID{}, false, err
		}
		_, ok, err := find(snap, messageKey(replacement), decodeNothing)
		if ok || err != nil {
			return replacement, ok, err
		}
	}
	return message.ID{}, false, nil
}

// hides tells whether a selection leaves m out, because its issuer replaced it:
// the new message is stored, and the old one did not become final after all.
func (v *view) hides(m *message.Message) (bool, error) {
	if v.replaced == nil {
		return false, nil
	}
	number, _ := v.store.issuers.lookup(string(m.Issuer[:]))
	replacement, ok, err := at(v.replaced, replacedKey(m.ID(), number), decodeID)
	if err != nil || !ok {
		return false, err
	}
	final, ok, err := at(v.finals, idKey(tableFinal, m.ID()), decodeFinal)
	if err != nil || ok && v.store.believed(final.Anchor) {
		return false, err
	}
	_, ok, err = find(v.snap, messageKey(replacement), decodeNothing)
	return ok, err
}
