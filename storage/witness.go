package storage

import (
	"cmp"
	"encoding/binary"

	"tangled/message"
)

// OwnWitness is the epoch and round for which a message is this node's witness.
type OwnWitness struct {
	Epoch uint32
	Round uint64
}

// compare orders by epoch, then by round.
func (w OwnWitness) compare(other OwnWitness) int {
	return cmp.Or(cmp.Compare(w.Epoch, other.Epoch), cmp.Compare(w.Round, other.Round))
}

// ownWitness is a row of the table.
type ownWitness struct {
	OwnWitness
	id message.ID
}

func decodeWitness(key, value []byte) (ownWitness, error) {
	id, err := decodeID(key, value)
	w := OwnWitness{binary.BigEndian.Uint32(key[1:]), binary.BigEndian.Uint64(key[5:])}
	return ownWitness{w, id}, err
}

// loadWitness reads the newest own witness.
func (s *Store) loadWitness() error {
	in := table(tableWitness, witnessKeySize)
	in.descending = true
	w, ok, err := first(rows(s.db, in, decodeWitness))
	if ok {
		s.witness.Store(&w)
	}
	return err
}

// OwnWitness is this node's newest witness by epoch and round; false while there
// is none.
func (s *Store) OwnWitness() (epoch uint32, round uint64, id message.ID, ok bool) {
	w := s.witness.Load()
	if w == nil {
		return 0, 0, message.ID{}, false
	}
	return w.Epoch, w.Round, w.id, true
}

// checkWitnesses refuses a second own witness for a round: a seat that shows
// two is taken for malicious. It returns the newest one when records are
// durable.
func (s *Store) checkWitnesses(records []Record) (newest *ownWitness, err error) {
	newest = s.witness.Load()
	batch := make(map[OwnWitness]message.ID)
	for _, r := range records {
		if r.Witness == nil {
			continue
		}
		w := ownWitness{*r.Witness, r.Message.ID()}
		has, ok := batch[w.OwnWitness]
		// The newest one is known, so that its successor costs no read.
		if !ok && newest != nil && w.compare(newest.OwnWitness) <= 0 {
			if has, ok, err = find(s.db, witnessKey(w.OwnWitness), decodeID); err != nil {
				return nil, err
			}
		}
		if ok && has != w.id {
			return nil, &WitnessError{Epoch: w.Epoch, Round: w.Round, Has: has, New: w.id}
		}
		batch[w.OwnWitness] = w.id
		if newest == nil || w.compare(newest.OwnWitness) > 0 {
			newest = &w
		}
	}
	return newest, nil
}
