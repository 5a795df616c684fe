package catchup

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	"tangled/message"
)

const (
	// maxAhead is how many bytes of bodies may be held, and be on their way, before
	// more is asked for. With a page, the lists of two runs and the next page of
	// lists it makes 28 MiB.
	maxAhead = 12 << 20
	// mostRefusals is how often in a row a peer may not have what it is asked for
	// before it is asked no more.
	mostRefusals = 16
	// leastPatience is how long a peer that is the only one to be asked for something
	// has at least before another is asked, too.
	leastPatience = 2 * time.Second
)

// errOvertaken ends what a slow peer was asked for and another gave.
var errOvertaken = errors.New("catchup: another peer was faster")

// work is what a stream has still to fetch, and what it has until the consumer
// takes it: all that its goroutines share.
type work struct {
	mu      sync.Mutex
	changed *sync.Cond

	peers    []*streamPeer
	runs     []*lists      // believed and not all delivered, in order
	todo     []*bodyRange  // ascending; nobody is asked for them
	asked    []*bodyRange  // somebody is
	flights  int           // requests under way
	slowest  time.Duration // answer so far
	complete []Verified    // what the consumer may take
	held     int           // bytes of bodies that came and are not taken

	gathered  bool // no run comes any more, and why
	gatherErr error
	ended     bool // nothing comes any more, and why
	err       error
}

func newWork(peers []*streamPeer) *work {
	w := &work{peers: peers}
	w.changed = sync.NewCond(&w.mu)
	return w
}

// lists is a believed run.
type lists struct {
	first  uint64 // index of the first anchor
	starts []int  // place of each anchor's first message in the run, and the run's length

	anchors   []Verified
	missing   []int // messages of each anchor
	delivered int   // anchors that are complete and gone
}

func newLists(anchors []Verified) *lists {
	l := &lists{first: anchors[0].Commitment.Index, starts: make([]int, 1, len(anchors)+1), anchors: anchors}
	for i := range anchors {
		l.starts = append(l.starts, l.starts[i]+len(anchors[i].Included))
		l.missing = append(l.missing, len(anchors[i].Included))
	}
	return l
}

// at is the anchor that has the message at a place of the run, and its index there.
func (l *lists) at(place int) (anchor, index int) {
	// The last one that begins there: those before it that begin there are empty.
	anchor, _ = slices.BinarySearch(l.starts, place+1)
	anchor--
	return anchor, place - l.starts[anchor]
}

// ranges cuts a run into what is asked for in one go, about size messages each. Each
// ends with an anchor, as a request does.
func (l *lists) ranges(size int) (cut []*bodyRange) {
	from := 0
	for i, end := range l.starts[1:] {
		if end-from >= size || end > from && i == len(l.anchors)-1 {
			cut = append(cut, &bodyRange{lists: l, from: from, to: end, last: l.first + uint64(i)})
			from = end
		}
	}
	return cut
}

// bodyRange are messages of a run that are asked for together.
type bodyRange struct {
	lists    *lists
	from, to int    // places in the run
	last     uint64 // anchor that has the one before to

	flights  []*flight
	refused  []*streamPeer // have it not
	checking bool          // one of the flights has it checked
	done     bool
}

// flight is one request for a range.
type flight struct {
	*bodyRange
	of      *streamPeer
	ctx     context.Context
	cancel  context.CancelCauseFunc
	since   time.Time
	size    int  // of the bodies that came
	claimed bool // they are being checked
}

// streamPeer is a peer as one stream sees it.
type streamPeer struct {
	Peer
	gone     bool // asked for no more bodies
	refusals int  // in a row
}

// add takes a run over once all of the one before has been asked for; false if it
// is over.
func (w *work) add(l *lists, rangeSize int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.todo) > 0 && !w.ended {
		w.changed.Wait()
	}
	if w.ended {
		return false
	}
	w.runs, w.todo = append(w.runs, l), append(w.todo, l.ranges(rangeSize)...)
	w.deliver()
	w.changed.Broadcast()
	return true
}

// finish tells that no run comes any more, and why.
func (w *work) finish(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gathered, w.gatherErr = true, err
	w.deliver()
	w.changed.Broadcast()
}

// end lets what is complete be the last; the first error counts.
func (w *work) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.endLocked(err)
}

func (w *work) endLocked(err error) {
	if w.ended {
		return
	}
	w.ended, w.err = true, err
	w.changed.Broadcast()
}

// take waits until there is something to ask a peer for; not ok if there never will
// be. What another peer has been asked for too long ago comes first.
func (w *work) take(ctx context.Context, of *streamPeer) (f *flight, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		if w.ended || of.gone {
			return nil, false
		}
		wait := time.Duration(math.MaxInt64)
		for _, r := range w.asked {
			overdue, ok := w.overdue(r, of)
			if ok && overdue <= 0 {
				return w.ask(ctx, r, of), true
			}
			if ok {
				wait = min(wait, overdue)
			}
		}
		at := slices.IndexFunc(w.todo, func(r *bodyRange) bool { return r.mayHave(of) })
		if at >= 0 && w.hasRoom() {
			r := w.todo[at]
			w.todo, w.asked = slices.Delete(w.todo, at, at+1), append(w.asked, r)
			w.changed.Broadcast()
			return w.ask(ctx, r, of), true
		}
		timer := time.AfterFunc(wait, w.changed.Broadcast)
		w.changed.Wait()
		timer.Stop()
	}
}

// overdue tells in what time a peer may be asked for what others are asked for
// already and have not given; not ok if it may not.
func (w *work) overdue(r *bodyRange, of *streamPeer) (in time.Duration, ok bool) {
	if r.checking || !r.mayHave(of) {
		return 0, false
	}
	for _, f := range r.flights {
		if f.of == of {
			return 0, false
		}
		in = max(in, max(leastPatience, 3*w.slowest)-time.Since(f.since))
	}
	return in, true
}

// mayHave tells whether it makes sense to ask a peer for a range.
func (r *bodyRange) mayHave(of *streamPeer) bool { return !of.gone && !slices.Contains(r.refused, of) }

// hasRoom tells whether more may be asked for. Where the consumer waits and nothing
// comes there always is: it will wait on until the next anchor is whole, whatever
// its size.
func (w *work) hasRoom() bool {
	return w.held+w.flights*maxPage <= maxAhead || len(w.complete) == 0 && len(w.asked) == 0
}

func (w *work) ask(ctx context.Context, r *bodyRange, of *streamPeer) *flight {
	f := &flight{bodyRange: r, of: of, since: time.Now()}
	f.ctx, f.cancel = context.WithCancelCause(ctx)
	r.flights = append(r.flights, f)
	w.flights++
	return f
}

// land tells that a request has its answer: bodies of so many bytes, or none.
func (w *work) land(f *flight, size int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flights--
	w.held += size
	f.size = size
	if size > 0 {
		w.slowest = max(w.slowest, time.Since(f.since))
	}
}

// claim tells whether what has landed is to be checked: another flight may have the
// range checked, or done.
func (w *work) claim(f *flight) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for f.checking && !f.done && !w.ended {
		w.changed.Wait()
	}
	if f.done || f.of.gone || w.ended {
		w.held -= f.size
		w.drop(f)
		return false
	}
	f.checking, f.claimed = true, true
	l := f.lists
	for a, _ := l.at(f.from); a < len(l.anchors) && l.starts[a] < f.to; a++ {
		if v := &l.anchors[a]; v.Messages == nil {
			v.Messages = make([]*message.Message, len(v.Included))
		}
	}
	return true
}

// drop ends a flight, whose range waits for another then, if nobody has it.
func (w *work) drop(f *flight) {
	f.cancel(nil)
	r := f.bodyRange
	r.flights = slices.DeleteFunc(r.flights, func(other *flight) bool { return other == f })
	if len(r.flights) == 0 && !r.done {
		w.asked = slices.DeleteFunc(w.asked, func(other *bodyRange) bool { return other == r })
		w.wait(r)
	}
	w.changed.Broadcast()
}

// wait puts a range where it belongs among those that nobody is asked for.
func (w *work) wait(r *bodyRange) {
	at := slices.IndexFunc(w.todo, func(other *bodyRange) bool {
		return other.last > r.last || other.last == r.last && other.from > r.from
	})
	if at < 0 {
		at = len(w.todo)
	}
	w.todo = slices.Insert(w.todo, at, r)
}

// put tells that the first count messages of a range are checked and in their
// places. What the peer left out is to be asked for. Who is still at it may stop, and
// is asked no more where it began before this one.
func (w *work) put(f *flight, count int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := f.bodyRange
	r.done, f.of.refusals = true, 0
	w.asked = slices.DeleteFunc(w.asked, func(other *bodyRange) bool { return other == r })
	for _, other := range r.flights {
		if !f.of.gone && other.since.Before(f.since) {
			w.leaveLocked(other.of, errOvertaken)
		}
		other.cancel(errOvertaken)
	}
	w.drop(f)
	if r.from+count < r.to {
		w.wait(&bodyRange{lists: r.lists, from: r.from + count, to: r.to, last: r.last})
	}
	r.lists.take(r.from, r.from+count)
	w.deliver()
}

// take notes that the messages from one place to another are here.
func (l *lists) take(from, to int) {
	for from < to {
		anchor, _ := l.at(from)
		n := min(to, l.starts[anchor+1]) - from
		l.missing[anchor] -= n
		from += n
	}
}

// fail tells that a peer did not give what it was asked for, or that what was claimed
// is not true. It is asked no more, unless it only has it not. first tells whether
// this is news.
func (w *work) fail(f *flight, err error) (first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f.claimed {
		w.held -= f.size
		f.checking = false
	}
	of := f.of
	first = !w.ended && !f.done && (f.claimed || !of.gone)
	w.drop(f)
	lacks := errors.Is(err, ErrNotHere)
	if lacks {
		f.refused = append(f.refused, of)
		of.refusals++
	}
	if first && (!lacks || of.refusals == mostRefusals) {
		w.leaveLocked(of, err)
	}
	w.endIfHopeless(f.bodyRange, err)
	return first
}

// leave lets a peer be asked for no more bodies.
func (w *work) leave(of *streamPeer, why error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leaveLocked(of, why)
}

func (w *work) leaveLocked(of *streamPeer, why error) {
	if of.gone {
		return
	}
	of.gone = true
	for _, r := range w.asked {
		for _, f := range r.flights {
			if f.of == of && !r.checking {
				f.cancel(why)
			}
		}
		w.endIfHopeless(r, why)
	}
	for _, r := range w.todo {
		w.endIfHopeless(r, why)
	}
	if !slices.ContainsFunc(w.peers, func(p *streamPeer) bool { return !p.gone }) {
		w.endLocked(why)
	}
	w.changed.Broadcast()
}

// endIfHopeless ends it where nobody is left to ask for a range.
func (w *work) endIfHopeless(r *bodyRange, why error) {
	if !r.done && !r.checking && !slices.ContainsFunc(w.peers, r.mayHave) {
		w.endLocked(why)
	}
}

// deliver gives the consumer the anchors that are whole.
func (w *work) deliver() {
	for len(w.runs) > 0 {
		l := w.runs[0]
		for ; l.delivered < len(l.anchors) && l.missing[l.delivered] == 0; l.delivered++ {
			w.complete = append(w.complete, l.anchors[l.delivered])
			l.anchors[l.delivered] = Verified{} // the consumer's alone
		}
		if l.delivered < len(l.anchors) {
			break
		}
		w.runs = w.runs[1:]
	}
	if w.gathered && len(w.runs) == 0 {
		w.endLocked(w.gatherErr)
	}
	w.changed.Broadcast()
}

// next waits for the next anchor; it is not ok, and may have an error, when there
// will be none.
func (w *work) next() (v Verified, ok bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.complete) == 0 && !w.ended {
		w.changed.Wait()
	}
	if len(w.complete) == 0 {
		return Verified{}, false, w.err
	}
	v = w.complete[0]
	w.complete[0] = Verified{}
	w.complete = w.complete[1:]
	for _, m := range v.Messages {
		w.held -= len(m.Bytes())
	}
	w.changed.Broadcast()
	return v, true, nil
}
