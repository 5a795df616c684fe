package message

import "bytes"

// AllGood tells whether the one equation of a batch holds for all of messages,
// and which weights it drew.
func (v *Verifier) AllGood(messages []*Message) (good bool, weights []byte) {
	b := v.batches.Get().(*batch)
	defer v.batches.Put(b)
	b.reset()
	good = true
	for i, m := range messages {
		good = b.addMessage(i, m) && good
	}
	return b.allGood() && good, bytes.Clone(b.random)
}
