// Package seat is what a member of the committee does beyond running a node:
// when it writes a witness ([Pacemaker]), when its clock forbids it to ([Clock]),
// and from which round on it may write after it lost its memory ([Rejoin]).
//
// All three are pure: no I/O, no goroutine, no clock but the times passed in,
// and those with the monotonic reading of time.Now. None is safe for concurrent
// use; the goroutine that owns the witness graph owns them.
//
// # Pace
//
// A seat enters round r+1, r being the highest round of which witnesses of a
// quorum are here, once
//
//   - MinInterval (200 ms) has passed since its own last witness, or
//     IdleInterval (2 s) while nothing but witnesses waits to become final and no
//     other seat has gone on;
//   - entering a vote round 3w+2, the witness of the leader of wave w is here, or
//     Timeout (500 ms) has passed;
//   - entering a certificate round 3w+3, votes of a quorum for it are here, or
//     Timeout has passed, or the witness of the leader is not here at all.
//
// What is stamped more than Ahead (1 s) ahead of the own clock does not count yet,
// and is not referred to. A witness is stamped after its refs, so one seat whose
// clock runs ahead would otherwise take the stamps of all along, and the seats
// whose clocks are slowest would be found too far behind to go on (see Clock). As
// it is, a seat whose clock is ahead costs what a late one costs, and honest
// clocks may be 4 s apart: with Ahead, the limit of 5 s.
//
// It enters round 1 at once, and rounds that it missed never: whoever was away
// goes on above the highest quorum.
//
// Timeout counts from when the quorum of round r was first seen here, and from
// nothing else. Once messages arrive within d, a quorum that one seat sees every
// seat sees within d, so all honest timers of a round run within d of each
// other, and an honest leader, who sees it too, has written and is heard by all
// within 2d (and what MinInterval holds it back) of the first. Counted from
// one's own last witness the timer would have run out in every stuck seat, and
// after an outage the first leader would not be waited for by anyone. The timer
// starts once a round, so a seat that lies cannot put it off.
//
// A wave whose leader is silent costs Timeout once, not twice. Where the
// leader's witness is not here, none of the witnesses of the vote round that are
// here is a vote. When they are a quorum, a quorum of votes would need more than
// a third of the weight to write twice for one round.
//
// Without "no other seat has gone on", idle seats that began half a second apart
// would stay apart: the last one is overtaken in every round, which round that
// is moves through the committee, and it can meet every leader just when the
// leader is overtaken. Simulated with four seats that began 0.4 to 0.6 s apart,
// two minutes gave one anchor. As it is, all follow the first to wake within the
// delay of a message, and one that is busy takes the others along. A seat that
// lies can keep an idle committee awake; it could as well send readings.
//
// Why it never comes to rest, as long as a quorum of honest seats is up and what
// is sent repeatedly arrives. A seat with the quorum of its last round writes the
// next one within IdleInterval. So let none have it: then all are stuck and send
// their last witness again every Resend (500 ms), and whoever lacks something of
// its past fetches that. Let R be the highest round among these. The past of that
// witness holds a quorum of round R-1, so every honest seat enters R or is there.
// Then it has its quorum. None of this depends on a timer that runs once:
// Deadline is never later than Resend from now.
//
// # Never two witnesses for one round
//
// The node makes the whole witness durable under (epoch, round) before it sends
// it. After a crash the newest one found there is Options.Last, and the first
// Resend is true: it goes out again, byte for byte, whether or not it had. The
// round of it is never offered again.
//
// A witness of the own seat above Last, seen in the graph, was written by
// somebody else with the same key, or by this seat before its store was replaced
// by an older copy. Foreign names its round, and Next offers nothing any more. The
// node treats a consensus.Equivocation of its own seat in the same way. This comes
// too late for the round in which both wrote; who restores a backup must say so.
//
// # Rejoining without a memory
//
// A seat whose store is new, restored or rebuilt does not know what it promised.
// It asks, and writes nothing until a quorum of the other seats has reported the
// highest round it knows of. Then it starts 3 above the highest reported, with no
// previous witness.
//
// Why that is above everything the old self wrote. Let r be its highest round. If
// r is 1, any start is above. Otherwise its witness refs a quorum Q of witnesses
// of round r-1. The reports are of a quorum P. Q and P share more than a third of
// the weight, and so a seat s that does not lie. Its witness of round r-1 existed
// before the old self's witness, so before the request, and s reports all it has
// ever written: at least r-1. So start >= r-1+3 > r.
//
// The seat itself cannot be in P. Its memory is gone, so it is no such s: what Q
// and P share could be itself and seats that lie. And a P without it is a quorum
// that goes on without it, and so reaches round start-1, for the quorum of which
// the seat has to wait. If the old self still runs somewhere nothing helps: see
// Foreign.
//
// Likewise a seat that is itself silent must not report, and one that has
// rejoined reports the start it was given, less one, even if it has not written
// yet: it stands for what its own old self wrote. A Pacemaker knows that, and
// only a seat that has one can answer. Two seats that lose their stores at the
// same time wait for each other where the rest is no quorum, as the committee
// itself waits for one of them: both are more than it tolerates.
//
// A seat that lies can report a round far away. It would keep the other silent
// for ever, so a report counts once the own graph knows a witness of the round it
// names. Honest reports come true like this within moments: what an honest seat
// refs can be fetched. (A start promised to a seat that rejoined and has not
// written comes true when the others get there.) A report too low does no harm,
// as the proof asks no more than one honest seat.
//
// At the very beginning all report zero, and the seat starts at round 3 once the
// others have their quorum of round 2: legal, and above round 1, the only one its
// old self could have written. But if all seats are new nobody can report. They
// have the operator's word (first start) that there was nothing before, and begin
// at round 1 without asking.
//
// Where the others are no quorum ([Rejoin.Possible] is false) reports cannot
// suffice. That is every committee of one to three equal seats. Then the operator's
// word replaces them: the node first syncs all that its peers have and goes on
// with Options.Last = the graph's Highest of this seat. The word is that the old
// self wrote nothing which no peer has. Start would be of no use, as without this
// seat no quorum gets there.
//
// # Clock
//
// The clock is wrong if it moved more than 5 s against the monotonic clock since it
// was last known to be right, or if the weighted median of the other seats says
// that it is more than 5 s off. The seats that say so must weigh more than a third
// of the committee, so that seats that lie cannot silence an honest one, and more
// than half of all that were heard within 10 s.
//
// What a witness says of the clock is its arrival less its timestamp. That is
// the difference of two clocks and the delay on the way. Delay makes ours
// look ahead, never behind. So of each seat the least of 10 s is taken, what was
// fetched is left out, and that the clock is ahead is believed of a seat only if
// three separate seconds of the window say so. Arrivals are measured by the
// monotonic clock, so a step of the wall clock shows at once in what was heard
// before it.
//
// What it cannot do. It does not notice a clock that is wrong like those of the
// others, nor one that is wrong at start before the others were heard. The limit
// is blurred by the delay on the way, which makes us look ahead, and by up to 1 s
// that an issuer may stamp ahead of its own clock, which makes us look behind. A
// network in which every witness takes more than 5 s looks like a clock that is
// ahead; so does, until it ends, a backlog that neighbours announce for more than
// two seconds. After 10 s of silence the others' last word is forgotten, so that
// seats which all stopped for such a reason try again.
//
// A seat that hears nobody, as in a committee of one, has the monotonic clock
// alone: it stays stopped after a correction of more than 5 s, or after its machine
// was suspended, until the clock is set back or the node restarted. So does a seat
// with two thirds of the weight or more.
//
// # How a node uses it
//
//	at start     store kept, or first start by the operator's word:
//	             NewPacemaker with Last from the store (zero if it has none)
//	             store new, restored or rebuilt: a mark that stays in the store
//	             until the first witness is written says so. NewRejoin with a
//	             random nonce; issue Request under RequestTopic, again every 5 s;
//	             Add what comes in under ReportTopic, by the seat of its issuer;
//	             at Start true, NewPacemaker with that Start. A crash before the
//	             first witness begins anew, which is safe: nothing was written.
//	on request   of another seat, by the key of its issuer: Pacemaker.Report, issued
//	             under ReportTopic; once for each request message
//	on arrival   of an announced witness: Clock.Observe
//	after a batch was observed, when it becomes busy, and at each Deadline:
//	             Clock.Check: if it fails, raise the alarm and write nothing
//	             Foreign: if not zero, raise the alarm
//	             Next: write, make durable, Wrote, observe, send
//	             Resend: send the last witness again, alarm or not
//	             re-arm the timer to Deadline
//
// A node far behind waits with Next until it has synced: a late witness does no
// harm, and no good.
//
// # Errors
//
// A request or report that does not decode is the fault of the seat that issued
// it; the message that carries it is valid all the same, so it is counted and
// ignored. A [*ClockError] is for the operator. Wrote panics when a seat would
// break its promise, which would be a fault of our own.
package seat
