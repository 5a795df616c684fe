package storage

import "github.com/cockroachdb/pebble/v2"

// Adopted is an anchor that is taken over from others, with all that it fixes.
type Adopted struct {
	// Records are the messages that it includes and that are not stored yet.
	Records  []Record
	Finality Finality
	// Signatures are a set over its commitment; none if empty.
	Signatures []byte
}

// Adopt makes several anchors durable, each as Commit and Finalise would, in their
// order, and waits for the disk once. A crash before that leaves some of the first
// of them, whole but for the last, of which there may be messages that are not
// final: nothing that taking over the rest again would not mend. Errors are those of
// Commit and Finalise; what came before the one that has it is written.
func (s *Store) Adopt(anchors []Adopted) error {
	return s.update(func() error {
		for i := range anchors {
			how := pebble.NoSync
			if i == len(anchors)-1 {
				how = pebble.Sync
			}
			if err := s.adopt(&anchors[i], how); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Store) adopt(a *Adopted, how *pebble.WriteOptions) error {
	if err := s.commit(a.Records, pebble.NoSync); err != nil {
		return err
	}
	if len(a.Signatures) > 0 {
		if err := s.putSignatures(a.Finality.Anchor, a.Signatures); err != nil {
			return err
		}
	}
	return s.finalise(&a.Finality, how)
}
