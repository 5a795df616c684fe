package parts

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"time"

	"tangled/message"
	"tangled/storage"
)

const (
	// forgers is how many issuers there are.
	forgers = 20
	// apart is how far the timestamps are apart: 10,000 messages a second.
	apart = 100 * time.Microsecond
	// forgedFrom is the first timestamp, in nanoseconds since the Unix epoch.
	forgedFrom = 1_750_000_000_000_000_000
	// workBits is about how much work is in a nonce.
	workBits = 10
	// batchSize is how many messages are committed at once, as a node does.
	batchSize = 512
)

// forge makes messages of readings for a store, which does not look at signatures:
// these are 64 bytes drawn at random, which cost nothing and compress as little as
// real ones. All else is as it would be: IDs, two parents among the messages just
// before, 20 issuers and 1,000 topics.
type forge struct {
	city    city
	rng     *rand.Rand
	issuers []message.Issuer
	recent  []message.ID
	made    int
}

func newForge() *forge {
	f := &forge{city: newCity(2), rng: rand.New(rand.NewPCG(3, 4))}
	for range forgers {
		var issuer message.Issuer
		fillRandom(f.rng, issuer[:])
		f.issuers = append(f.issuers, issuer)
	}
	f.recent = []message.ID{message.NewID(forgedFrom-2, [32]byte{}), message.NewID(forgedFrom-1, [32]byte{})}
	return f
}

// fillRandom fills b, the length of which divides by 8.
func fillRandom(rng *rand.Rand, b []byte) {
	for i := 0; i < len(b); i += 8 {
		binary.BigEndian.PutUint64(b[i:], rng.Uint64())
	}
}

// timeOf is the timestamp of the i-th message.
func timeOf(i int) uint64 { return forgedFrom + uint64(i)*uint64(apart) }

// next makes the next message.
func (f *forge) next() (storage.Record, error) {
	at := timeOf(f.made)
	data := f.city.reading(f.made, time.Unix(0, int64(at)))
	draft := message.Draft{
		Network: network(), Timestamp: at, Parents: f.parents(), Kind: message.KindData, Payload: data.Append(nil),
	}
	var signature [64]byte
	fillRandom(f.rng, signature[:])
	m, err := draft.Seal(f.issuers[f.rng.IntN(forgers)], signature)
	if err != nil {
		return storage.Record{}, err
	}
	m.SetNonce(f.rng.Uint64N(1 << workBits))
	f.made++
	f.recent = append(f.recent, m.ID())
	if len(f.recent) > 2*batchSize {
		f.recent = slices.Clone(f.recent[batchSize:])
	}
	return storage.Record{Message: m, Seen: at + uint64(100*time.Millisecond)}, nil
}

// parents are two of the newest messages, ascending.
func (f *forge) parents() []message.ID {
	n := len(f.recent)
	a := f.rng.IntN(min(n, batchSize))
	b := f.rng.IntN(min(n, batchSize) - 1)
	if b >= a {
		b++
	}
	return []message.ID{f.recent[n-1-max(a, b)], f.recent[n-1-min(a, b)]}
}

// batches makes n messages on a goroutine of its own, so that it costs the writer no
// time while there is a second core. The channel is closed after the last, or when
// ctx ends. The error, if any, is sent before that.
func (f *forge) batches(ctx context.Context, n int) (<-chan []storage.Record, <-chan error) {
	out, failed := make(chan []storage.Record, 8), make(chan error, 1)
	go func() {
		defer close(out)
		for n > 0 {
			batch := make([]storage.Record, min(n, batchSize))
			for i := range batch {
				var err error
				if batch[i], err = f.next(); err != nil {
					failed <- err
					return
				}
			}
			n -= len(batch)
			select {
			case out <- batch:
			case <-ctx.Done():
				failed <- ctx.Err()
				return
			}
		}
		failed <- nil
	}()
	return out, failed
}

func network() message.NetworkID { return message.NetworkID{'b', 'e', 'n', 'c', 'h'} }
