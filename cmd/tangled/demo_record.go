package main

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

// record is what became of one sensor's readings, by sequence number. A demo may
// run for hours: a reading takes 24 bytes. It is safe for concurrent use.
type record struct {
	mu    sync.Mutex
	fates []fate
}

// fate is what became of a reading. The times count from the start of the load;
// zero is not yet.
type fate struct {
	sum   uint64        // digest of its bytes
	acked time.Duration // its PUBACK was here
	final time.Duration // it was told as final
}

// digest is enough of a hash to notice that bytes were changed or mixed up.
func digest(content []byte) uint64 {
	sum := sha256.Sum256(content)
	return binary.BigEndian.Uint64(sum[:])
}

// sent enters the reading with the next sequence number.
func (r *record) sent(sum uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fates = append(r.fates, fate{sum: sum})
}

// acknowledge notes a PUBACK. It is settled if the reading is final too, after
// the delay: zero for a reading that was final before its PUBACK came.
func (r *record) acknowledge(seq uint64, at time.Duration) (delay time.Duration, settled bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := &r.fates[seq]
	f.acked = at
	return 0, f.final > 0
}

// finalise notes that a reading with these bytes is final, and how long after its
// PUBACK. It is not settled without that, nor a second time.
func (r *record) finalise(seq, sum uint64, at time.Duration) (delay time.Duration, settled bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if seq >= uint64(len(r.fates)) || r.fates[seq].sum != sum || r.fates[seq].final > 0 {
		return 0, false
	}
	f := &r.fates[seq]
	f.final = at
	return at - f.acked, f.acked > 0
}

// acknowledged tells whether a reading with these bytes was acknowledged.
func (r *record) acknowledged(seq, sum uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return seq < uint64(len(r.fates)) && r.fates[seq].sum == sum && r.fates[seq].acked > 0
}

func (r *record) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.fates)
}
