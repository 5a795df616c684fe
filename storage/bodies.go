package storage

import "tangled/message"

// Bodies reads the encodings of messages one after another, the quicker the closer
// they lie: an iterator goes along, where Get would look each up anew. It shows the
// store as it was at the first look. It is not for several goroutines.
type Bodies struct {
	store *Store // nil after Close
	rows  *follower
	last  message.ID
}

// Bodies begins to read. The caller closes it; the store cannot be closed before.
func (s *Store) Bodies() (*Bodies, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	return &Bodies{store: s, rows: newFollower(s.db, tableMessage, false)}, nil
}

// Get is the encoding of a message, as it was when it was stored. The caller owns
// it. The error is ErrNotFound or a *CorruptionError.
func (b *Bodies) Get(id message.ID) ([]byte, error) {
	b.turnTo(id)
	body, ok, err := at(b.rows, messageKey(id), decodeBody)
	if err == nil && !ok {
		err = ErrNotFound
	}
	return body, err
}

// Has tells whether a message is stored.
func (b *Bodies) Has(id message.ID) (bool, error) {
	b.turnTo(id)
	return b.rows.find(messageKey(id))
}

// turnTo goes back where id comes before what was asked for last.
func (b *Bodies) turnTo(id message.ID) {
	if b.rows.it != nil && id.Compare(b.last) < 0 {
		b.rows.seek(messageKey(id))
	}
	b.last = id
}

// Close may be called twice.
func (b *Bodies) Close() {
	if b.store == nil {
		return
	}
	b.rows.close()
	b.store.readers.Done()
	b.store = nil
}

// decodeBody is the encoding in a row of the message table. The checksum of its
// block was compared; whoever gets it checks that it is the message of its ID.
func decodeBody(_, value []byte) ([]byte, error) {
	if len(value) < seenSize {
		return nil, wantSize(value, seenSize)
	}
	return append([]byte{}, value[seenSize:]...), nil
}
