package seat

import (
	"fmt"
	"time"

	"tangled/consensus"
)

// Ahead is how far ahead of the own clock a witness may be stamped and still be
// counted, and referred to.
const Ahead = time.Second

// Options say whose pace is kept, from which round on, and how fast. The zero
// value of every field but Committee has a default.
type Options struct {
	Committee *consensus.Committee
	// Seat is the seat that writes.
	Seat int
	// Last is the round of the newest witness of this seat in its store, zero
	// if it wrote none. That one is sent again at once.
	Last uint64
	// Start is the least round that may be written: what Rejoin.Start gave, or
	// zero for a seat whose store never was lost. A seat that rejoined has no
	// witness to send again, so its Last is zero.
	Start uint64

	// MinInterval is the least time between two witnesses; 200 ms by default.
	MinInterval time.Duration
	// Timeout is how long to wait for a leader, or for the votes for it, once
	// the round could be entered without; 500 ms by default.
	Timeout time.Duration
	// IdleInterval takes the place of MinInterval while nothing but witnesses
	// waits to become final; 2 s by default, never below MinInterval.
	IdleInterval time.Duration
	// Resend is how often a stuck seat sends its last witness again; 500 ms by
	// default.
	Resend time.Duration
}

func (o *Options) ensureDefaults() {
	setDefault := func(d *time.Duration, value time.Duration) {
		if *d <= 0 {
			*d = value
		}
	}
	setDefault(&o.MinInterval, 200*time.Millisecond)
	setDefault(&o.Timeout, 500*time.Millisecond)
	setDefault(&o.IdleInterval, 2*time.Second)
	setDefault(&o.Resend, 500*time.Millisecond)
	o.IdleInterval = max(o.IdleInterval, o.MinInterval)
}

// Pacemaker tells when a seat writes its next witness, and for which round. The
// package comment gives the rules and why they never come to rest.
//
// Invariants: no round is offered up to one that was written, none below Start,
// none without a quorum of the round before (but round 1), and none that the
// graph has decided.
type Pacemaker struct {
	opts Options
	last uint64 // no round up to this one may be written any more
	// written is the round of the witness that can be sent again, zero if there
	// is none: last, but for a seat that rejoined and has not written yet.
	written  uint64
	foreign  uint64
	wroteAt  time.Time // zero before the first witness of this process
	sentAt   time.Time // likewise; written again or for the first time
	quorum   uint64    // the graph's QuorumRound when last asked
	quorumAt time.Time // when it was first seen to be that
}

// NewPacemaker starts above opts.Last and not below opts.Start.
func NewPacemaker(opts Options) *Pacemaker {
	opts.ensureDefaults()
	p := &Pacemaker{opts: opts, last: opts.Last, written: opts.Last}
	if opts.Start > 0 {
		p.last = max(p.last, opts.Start-1)
	}
	return p
}

// Next tells whether to write a witness now, and for which round; its refs are
// g.Refs(round-1). Busy says that something other than witnesses waits to become
// final.
//
// It is asked whenever witnesses were observed, when busy turned true, and at
// each Deadline. It only offers: until Wrote is called it offers again.
func (p *Pacemaker) Next(g *consensus.Graph, now time.Time, busy bool) (round uint64, ok bool) {
	p.look(g, now)
	round = p.quorum + 1
	if p.foreign > 0 || round <= p.last || round <= 3*g.NextWave() {
		return 0, false
	}
	interval := p.opts.MinInterval
	if !busy && !p.behind(g) {
		interval = p.opts.IdleInterval
	}
	if now.Sub(p.wroteAt) < interval || !p.complete(g, round, now) {
		return 0, false
	}
	return round, true
}

// look takes note of what is new in the graph.
func (p *Pacemaker) look(g *consensus.Graph, now time.Time) {
	if quorum := g.QuorumRoundBy(uint64(now.Add(Ahead).UnixNano())); quorum > p.quorum {
		p.quorum, p.quorumAt = quorum, now
	}
	if own := g.Highest(p.opts.Seat); own > p.last {
		p.foreign = max(p.foreign, own)
	}
}

// behind tells whether another seat has gone on to a later round.
func (p *Pacemaker) behind(g *consensus.Graph) bool {
	for seat := range p.opts.Committee.Size() {
		if g.Highest(seat) > p.last {
			return true
		}
	}
	return false
}

// complete tells whether what makes a witness for round worth most is here, or
// was waited for long enough.
//
// Where the leader's witness is not known, no vote for it is known either. The
// round entered here has its quorum of witnesses that are not votes, and so
// there will be no quorum of votes to wait for.
func (p *Pacemaker) complete(g *consensus.Graph, round uint64, now time.Time) bool {
	wave, step := (round-1)/3, (round-1)%3
	var awaited bool
	switch step {
	case 1: // a vote
		awaited = !g.LeaderKnown(wave)
	case 2: // a certificate
		awaited = g.LeaderKnown(wave) && !g.VotesKnown(wave)
	}
	return !awaited || now.Sub(p.quorumAt) >= p.opts.Timeout
}

// Wrote tells that this seat's witness for round is durable. It is called before
// the witness is sent or observed. A round that is not above all before breaks
// the one promise of a seat, so it panics.
func (p *Pacemaker) Wrote(round uint64, now time.Time) {
	if round <= p.last {
		panic(fmt.Sprintf("seat: wrote round %d after %d", round, p.last))
	}
	p.last, p.written = round, round
	p.wroteAt, p.sentAt = now, now
}

// Resend tells whether to send the last witness again, and takes it that this is
// then done: at once after a restart, and every Options.Resend while stuck, which
// is as long as no quorum of that witness's round is here.
func (p *Pacemaker) Resend(now time.Time) bool {
	restarted := p.sentAt.IsZero()
	stuck := p.quorum < p.written && now.Sub(p.sentAt) >= p.opts.Resend
	if p.written == 0 || !restarted && !stuck {
		return false
	}
	p.sentAt = now
	return true
}

// Deadline is when to ask Next and Resend again if no witness comes in before.
// It is always later than now, and never more than Options.Resend.
func (p *Pacemaker) Deadline(now time.Time) time.Time {
	next := now.Add(p.opts.Resend)
	for _, at := range []time.Time{
		p.wroteAt.Add(p.opts.MinInterval),
		p.wroteAt.Add(p.opts.IdleInterval),
		p.quorumAt.Add(p.opts.Timeout),
		p.sentAt.Add(p.opts.Resend),
	} {
		if at.After(now) && at.Before(next) {
			next = at
		}
	}
	return next
}

// Foreign is the round of a witness of this seat that this seat did not write
// since its store began, zero if none was seen. Either the key is in use
// elsewhere or the store is an old copy. Next offers nothing from then on; the
// cure is to stop the other one and rejoin.
func (p *Pacemaker) Foreign() uint64 { return p.foreign }

// Report answers the request of the seat asker, who issued the message that
// carried it. It is false where the request names another seat, and for one's
// own.
//
// Only a seat with a Pacemaker can report: one that is silent itself has
// forgotten what the report is about.
func (p *Pacemaker) Report(g *consensus.Graph, asker int, request Request) (Report, bool) {
	if asker != int(request.Seat) || asker == p.opts.Seat {
		return Report{}, false
	}
	return Report{
		Seat:          request.Seat,
		Nonce:         request.Nonce,
		Highest:       max(p.last, highest(g, p.opts.Committee)),
		HighestOfSeat: g.Highest(asker),
	}, true
}

// highest is the highest round of which a counting witness of any seat is known.
func highest(g *consensus.Graph, committee *consensus.Committee) (round uint64) {
	for seat := range committee.Size() {
		round = max(round, g.Highest(seat))
	}
	return round
}
