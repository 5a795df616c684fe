// Package consensus is the commit rule: from the witnesses of a committee it
// finds the anchors, the same ones in the same order on every node.
//
// It is a pure state machine: no I/O, no clock, no goroutine. A [Graph] is
// given one witness after the other, each after those it refs, and answers with
// the anchors that it decided. It holds the undecided rounds alone. A Graph is
// not safe for concurrent use; one goroutine owns it.
//
// # The rule
//
// W is the weight of all seats. A set of seats is a quorum if three times its
// weight is more than 2W; the seats that lie (two witnesses for one round, refs
// to what is none, silence) weigh less than W/3.
//
// A witness counts if its epoch is ours, if it refs distinct seats that make a
// quorum (none, if and only if it is of round 1), and if every target is by its
// own bytes a witness of the seat the ref names, of the round before and of the
// same epoch. A witness that does not count is a valid message and nothing
// more: it is never a leader witness, a vote, a certificate or a step of the
// walk back.
//
// Wave w is three rounds, and one seat leads it:
//
//	3w+1   leader round        the leader's witness is the one to commit
//	3w+2   vote round          a witness votes for the leader witness it refs
//	3w+3   certificate round   a witness that refs votes of a quorum for one and
//	                           the same leader witness is a certificate for it
//
// Direct commit: certificates of a quorum are known. Indirect: from a directly
// committed anchor the walk goes back over the undecided waves; if a
// certificate for a leader witness of the wave is in the past of the anchor it
// comes from, by refs alone, then that leader witness is an anchor too and the
// walk goes on from it; otherwise the wave is skipped, for ever. Anchors are
// applied in ascending order. A leader seat that lies may have several leader
// witnesses for its wave. A vote and a certificate are for one of them, and a
// seat weighs once however many witnesses it wrote.
//
// # Why it is safe
//
// Everything rests on this: two quorums share more than W/3, and so an honest
// seat, and an honest seat has one witness a round.
//
// Unique certificate. Take two certificates of one wave. Both ref votes of a
// quorum, so both ref the one vote of some honest seat. That vote refs one
// witness of the leader at most, since refs are of distinct seats. So the two
// are for the same leader witness.
//
// Persistence. Let L be committed directly: certificates of a quorum are known
// somewhere. A witness of the next round that counts refs a quorum, so it refs
// the one witness of an honest seat that is among those certificates. A witness
// of any later round that counts refs a quorum, so an honest seat, whose witness
// counts and has a certificate in its past by induction. So every witness that
// counts and is of a round after the certificate round has a certificate for L
// in its past, whether or not its author knew.
//
// Agreement. Let one node commit L in wave w directly. Another that decides w
// directly found certificates too, and they are for L. One that decides w by a
// walk comes from an anchor of a later wave, in whose past is a certificate for
// L by persistence and for nothing else by uniqueness: it commits L and walks on
// from it. So walks that began at different anchors meet in every wave that
// anybody committed directly, and below that they are the same walk: what it
// finds depends on the past of an anchor alone, not on what else is known. By
// induction the sequences of two nodes are prefixes of each other.
//
// That counting is not recursive does no harm. A target that is a witness by
// its bytes and does not count is ignored, and the argument needs of a quorum of
// refs only its honest seat: honest seats ref what counts. In exchange whether a
// witness counts is told by its own bytes and those of its targets, for ever,
// and not by rounds that were pruned long ago. It also bounds memory: a witness
// of round r counts only if a quorum, and so an honest seat, wrote one of round
// r-1.
//
// Liveness. The leader's turn is proportional to weight (smooth weighted round
// robin), so more than two thirds of the waves have an honest leader. Once
// messages arrive within the time that seats wait for a leader's witness and
// for its votes, all honest seats vote for an honest leader, all of them are
// certificates, and they are a quorum: the wave commits after its third round.
//
// # Sources
//
// The rule is that of Cordial Miners for partial synchrony, with waves of three
// rounds (Keidar, Naor, Poupko, Shapiro: "Cordial Miners: Fast and Efficient
// Consensus for Every Eventuality", arXiv:2205.09174), on a graph without a
// broadcast that prevents equivocation, with votes and certificates as patterns
// of that graph (Babel et al.: "Mysticeti: Reaching the Limits of Latency with
// Uncertified DAGs", arXiv:2310.14821); the walk back over earlier leaders is
// Bullshark's (Spiegelman, Giridharan, Sonnino, Kokoris-Kogias: "Bullshark: DAG
// BFT Protocols Made Practical", arXiv:2201.05677). They count seats; here seats
// have weights.
//
// # Errors
//
// NewCommittee refuses what the operator wrote into the genesis, with a plain
// error. Nothing else here fails: a witness that does not count says so in its
// [Observation], and that is its author's fault; a seat with two witnesses for
// one round is named in an [Equivocation]. That the caller passes on a witness
// before its refs, or without having checked its signature, is not noticed.
package consensus
