package storage_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/message"
	"tangled/storage"
)

// Topics of the random stores. "few/+" matches as many topics as are merged
// from the index, "many/+" one more; "hot" has more rows than are read ahead.
const fewTopics, manyTopics = 256, 257

func randomTopic(rng *rand.Rand) string {
	switch rng.IntN(8) {
	case 0:
		return fmt.Sprintf("few/%d", rng.IntN(fewTopics))
	case 1:
		return fmt.Sprintf("many/%d", rng.IntN(manyTopics))
	case 2:
		return fmt.Sprintf("site/%d/%s", rng.IntN(5), []string{"temp", "hum"}[rng.IntN(2)])
	case 3:
		return []string{"$sys/load", "$sys", "site", "/", "site//temp", "hot/"}[rng.IntN(6)]
	default:
		return "hot"
	}
}

// newModel has every topic of "few" and "many" once and random ones beside
// them; times are so few that many messages share one.
func newModel(t testing.TB, rng *rand.Rand) model {
	var m model
	for i := range fewTopics + manyTopics + 700 {
		topic := randomTopic(rng)
		if i < fewTopics {
			topic = fmt.Sprintf("few/%d", i)
		} else if i < fewTopics+manyTopics {
			topic = fmt.Sprintf("many/%d", i-fewTopics)
		}
		m = append(m, newRecord(t, byte(rng.IntN(4)), 100+rng.Uint64N(60), topic, fmt.Append(nil, i)))
	}
	rng.Shuffle(len(m), func(i, j int) { m[i], m[j] = m[j], m[i] })
	return m
}

var filters = []string{
	"#", "+", "+/#", "few/+", "few/#", "many/+", "many/#", "many/7", "hot", "hot/#", "hot/+", "site/#", "site/+/temp",
	"+/+/hum", "site/3/temp", "$sys/#", "$sys/+", "$sys", "/", "+/+", "unknown", "unknown/#", "site/+/temp/#",
}

func randomQuery(t testing.TB, rng *rand.Rand, m model) storage.Query {
	q := storage.Query{Descending: rng.IntN(2) == 0}
	if rng.IntN(4) > 0 {
		q.Topics = mustFilter(t, filters[rng.IntN(len(filters))])
	}
	if rng.IntN(3) == 0 {
		is := issuer(byte(rng.IntN(5))) // number 4 never signed anything
		q.Issuer = &is
	}
	if rng.IntN(2) == 0 {
		q.From = 95 + rng.Uint64N(70)
	}
	if rng.IntN(2) == 0 {
		q.To = 95 + rng.Uint64N(70) // may lie before From
	}
	switch rng.IntN(4) {
	case 0:
		q.After = m[rng.IntN(len(m))].Message.ID()
	case 1:
		q.After = message.NewID(95+rng.Uint64N(70), [32]byte{byte(rng.Uint32())})
	}
	return q
}

func TestSelectAgainstModel(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 1))
			fs := vfs.NewMem()
			m := newModel(t, rng)
			for rest := m; len(rest) > 0; {
				s := mustOpen(t, fs, dir) // reopening makes tables of what is in the log
				n := min(len(rest), 100+rng.IntN(300))
				mustCommit(t, s, rest[:n/2])
				mustCommit(t, s, rest[n/2:n])
				rest = rest[n:]
				mustClose(t, s)
			}
			s := openFor(t, fs, dir)
			m.verify(t, s)
			for range 200 {
				q := randomQuery(t, rng, m)
				what := fmt.Sprintf("filter %q, %+v", q.Topics, q)
				whole := collect(t, s, q)
				sameRecords(t, what, whole, m.query(q))
				sameRecords(t, "pages of "+what, pages(t, s, q, 1+rng.IntN(1+len(whole)), len(whole)), whole)
			}
		})
	}
}

// pages walks a selection by breaking off after n records and going on behind
// the last one.
func pages(t testing.TB, s *storage.Store, q storage.Query, n, most int) []storage.Record {
	var all []storage.Record
	for len(all) <= most {
		page := 0
		for r, err := range s.Select(t.Context(), q) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, r)
			q.After = r.Message.ID()
			if page++; page == n {
				break
			}
		}
		if page < n {
			break
		}
	}
	return all
}

// The ends of time: zero and the greatest timestamp and ID are bounds too.
func TestSelectAtTheEndsOfTime(t *testing.T) {
	s := openFor(t, vfs.NewMem(), dir)
	m := model{
		newRecord(t, 1, 2, "a", nil), // parents are at 1
		newRecord(t, 1, math.MaxInt64-1, "a", nil),
		newRecord(t, 2, math.MaxInt64, "a", nil),
	}
	mustCommit(t, s, m)
	m.verify(t, s)
	for _, descending := range []bool{false, true} {
		for _, topics := range []message.Filter{{}, mustFilter(t, "a")} {
			for _, after := range []message.ID{{39: 1}, m[0].Message.ID(), m[2].Message.ID(), message.ID(slices.Repeat([]byte{0xff}, message.IDSize))} {
				for _, to := range []uint64{0, 2, 3, math.MaxInt64, math.MaxUint64} {
					q := storage.Query{Topics: topics, After: after, To: to, Descending: descending}
					sameRecords(t, fmt.Sprintf("%+v", q), collect(t, s, q), m.query(q))
				}
			}
		}
	}
	if id, ok, err := s.Newest(); id != m[2].Message.ID() || !ok || err != nil {
		t.Errorf("newest: %v, %v, %v", id, ok, err)
	}
}

// A selection shows the store as it was when it began, whatever is committed
// while it is read.
func TestSelectIsASnapshot(t *testing.T) {
	for _, filter := range []string{"#", "shared", "batch/#"} {
		for _, descending := range []bool{false, true} {
			s := openFor(t, vfs.NewMem(), dir)
			batches := newBatches(t, 20, 10)
			q := storage.Query{Topics: mustFilter(t, filter), Descending: descending}
			mustCommit(t, s, batches[10])
			want := model(batches[10]).query(q)
			var got []storage.Record
			for r, err := range s.Select(t.Context(), q) {
				if err != nil {
					t.Fatal(err)
				}
				if got = append(got, r); len(got) == 1 {
					mustCommit(t, s, slices.Concat(batches[:10]...))
					mustCommit(t, s, slices.Concat(batches[11:]...))
				}
			}
			sameRecords(t, filter, got, want)
		}
	}
}

func TestSelectEndsWithTheContext(t *testing.T) {
	s := openFor(t, vfs.NewMem(), dir)
	mustCommit(t, s, newBatches(t, 1, 8)[0])
	for _, q := range []storage.Query{{}, {Topics: mustFilter(t, "shared")}} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		n := 0
		var last error
		for _, err := range s.Select(ctx, q) {
			if last = err; err == nil {
				n++
			}
			cancel()
		}
		if n != 1 || !errors.Is(last, context.Canceled) {
			t.Errorf("%d records, then %v; want 1, then that the context is canceled", n, last)
		}
	}
}
