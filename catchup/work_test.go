package catchup

import (
	"errors"
	"testing"
	"time"

	"tangled/internal/bubbletest"
)

// runOf is a believed run of anchors with as many messages each.
func runOf(counts ...int) *lists {
	anchors := make([]Verified, len(counts))
	for i, count := range counts {
		anchors[i].Commitment.Index = uint64(i) + 1
		anchors[i].Included = make([]Included, count)
	}
	return newLists(anchors)
}

func TestRanges(t *testing.T) {
	var got [][3]int
	for _, r := range runOf(0, 3, 9, 0, 12, 1, 1, 0).ranges(10) {
		got = append(got, [3]int{r.from, r.to, int(r.last)})
	}
	want := [][3]int{{0, 12, 3}, {12, 24, 5}, {24, 26, 8}}
	if len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("from, to and last anchor %v, want %v", got, want)
	}
	if cut := runOf(0, 0).ranges(10); len(cut) != 0 {
		t.Errorf("%d ranges of no message", len(cut))
	}
}

// flightsFor has two peers asked for the same range, the second when the first has
// had its time.
func flightsFor(t *testing.T, w *work) (a, b *flight) {
	if !w.add(runOf(5), 10) {
		t.Fatal("over")
	}
	a, _ = w.take(t.Context(), w.peers[0])
	time.Sleep(leastPatience)
	b, _ = w.take(t.Context(), w.peers[1])
	if a.bodyRange != b.bodyRange {
		t.Fatal("the second peer is asked for another range")
	}
	return a, b
}

// Where two peers give the same, one is checked; the other waits, and is checked
// only if the first has lied.
func TestOneAnswerIsChecked(t *testing.T) {
	for _, lies := range []bool{false, true} {
		bubbletest.Run(t, func(t *testing.T) {
			w := newWork([]*streamPeer{new(streamPeer), new(streamPeer)})
			a, b := flightsFor(t, w)
			w.land(a, 1000)
			w.land(b, 900)
			if !w.claim(a) {
				t.Fatal("the first answer is not wanted")
			}
			wanted := make(chan bool, 1)
			go func() { wanted <- w.claim(b) }()
			bubbletest.Wait()
			if len(wanted) > 0 {
				t.Fatal("the second answer does not wait for the first one's check")
			}
			if lies {
				w.fail(a, errors.New("a lie"))
			} else {
				w.put(a, 5)
			}
			if second := <-wanted; second != lies {
				t.Errorf("the second answer is wanted: %t", second)
			}
			held := 1000
			if lies {
				w.put(b, 5)
				held = 900
			}
			if w.held != held || len(w.complete) != 1 || a.of.gone != lies || b.of.gone {
				t.Errorf("%d bytes held, want %d; %d anchors complete; gone: %t, %t", w.held, held, len(w.complete), a.of.gone, b.of.gone)
			}
			if b.ctx.Err() == nil || a.ctx.Err() == nil {
				t.Error("a request is not ended")
			}
		})
	}
}

// Who is overtaken is asked no more; who tried to overtake and did not is.
func TestOvertaken(t *testing.T) {
	for _, faster := range []int{0, 1} {
		bubbletest.Run(t, func(t *testing.T) {
			w := newWork([]*streamPeer{new(streamPeer), new(streamPeer)})
			a, b := flightsFor(t, w)
			first, second := []*flight{a, b}[faster], []*flight{a, b}[1-faster]
			w.land(first, 1000)
			w.claim(first)
			w.put(first, 5)
			w.land(second, 0)
			if second.ctx.Err() == nil || w.fail(second, second.ctx.Err()) {
				t.Error("the second request is not ended, or a failure")
			}
			if a.of.gone != (faster == 1) || b.of.gone {
				t.Errorf("request %d came first, gone: %t, %t", faster, a.of.gone, b.of.gone)
			}
			if w.flights != 0 || len(w.asked)+len(w.todo) != 0 {
				t.Errorf("%d requests under way, %d ranges asked for and %d to do", w.flights, len(w.asked), len(w.todo))
			}
		})
	}
}

// What a peer did not give comes before what nobody was asked for.
func TestWhatIsLeftComesFirst(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		w := newWork([]*streamPeer{new(streamPeer), new(streamPeer)})
		w.add(runOf(10, 10, 10), 10)
		first, _ := w.take(t.Context(), w.peers[0])
		w.land(first, 10)
		w.claim(first)
		w.put(first, 4) // of ten
		rest, _ := w.take(t.Context(), first.of)
		if rest.from != 4 || rest.to != 10 || rest.last != 1 {
			t.Errorf("after a part: %d to %d of anchor %d", rest.from, rest.to, rest.last)
		}
		w.land(rest, 0)
		w.fail(rest, errLost)
		again, _ := w.take(t.Context(), w.peers[1])
		if again.bodyRange != rest.bodyRange {
			t.Errorf("after a failure: %d to %d", again.from, again.to)
		}
	})
}

// Lists are gathered one run ahead.
func TestRunsWait(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		w := newWork([]*streamPeer{new(streamPeer)})
		w.add(runOf(10, 10), 10)
		added := make(chan bool, 1)
		go func() { added <- w.add(runOf(10), 10) }()
		p := w.peers[0]
		for range 2 {
			bubbletest.Wait()
			if len(added) > 0 {
				t.Fatal("a run is added before all of the one before is asked for")
			}
			w.take(t.Context(), p)
		}
		if !<-added {
			t.Error("over")
		}
		go func() { added <- w.add(runOf(10), 10) }()
		bubbletest.Wait()
		w.end(nil)
		if <-added {
			t.Error("a run is added when it is over")
		}
	})
}
