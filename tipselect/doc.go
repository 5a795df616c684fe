// Package tipselect chooses which tips a new message approves.
//
// A tip is a solid message that no other message approves yet. A [Selector]
// holds the pool of them and draws from it at random, so that every tip is
// approved soon, no honest one starves, and a sender who does not help to
// approve others is approved last.
//
// It is a pure state machine: no I/O, no clock, no goroutine. The caller says
// what time it is. A Selector is not safe for concurrent use; whoever shares
// one guards it by a mutex of its own.
//
// # Use
//
// For every message that becomes solid, in that order, the owner calls
// [Selector.Observe] with how late it was, [Selector.Remove] for each of its
// parents, and [Selector.Add] for itself - also where a later message of the
// same batch approves it, since Add is where the arrival rate is measured. To
// issue, it calls [Selector.Pick] and approves what it gets; picking takes
// nothing out of the pool. About once a second it calls [Selector.Expire].
//
// Messages fetched to catch up belong neither to Observe (their lateness says
// how long this node was away) nor, once approved, to Add.
//
// # Weight
//
// The chance of a tip is proportional to w = s * a.
//
// Freshness s looks at what the message approved. For a parent that stopped
// being a tip d before the message arrived it is exp(-2 * max(0, d/h - 2)):
// whoever approves within twice the usual delay h could not have known better,
// whoever approves what was long approved does not help. s is the mean over
// the parents, at least 0.1, and fixed when the tip is added. Three classes
// follow:
//
//	fresh      s >= 0.5        drawn by default
//	semi-lazy  0.1 < s < 0.5   5 % of the draws
//	lazy       s = 0.1         drawn only when nothing else is left
//
// An issuer who always approves the same old pair is lazy, and its messages
// leave the pool unapproved unless traffic is so low that honest tips run out.
// One who approves a single true tip beside an old message is fresh, and may
// be: it adds one tip and takes one away. One who approves what others have
// just approved (d within 2h) cannot be told from an unlucky honest issuer;
// against it there is only the number of parents, below.
//
// Age a = min(8, 1 + 0.5*age/h) grows while a tip waits, so nobody starves.
//
// The delay h is the 90th percentile of (arrival - timestamp) over the last
// 1,024 messages observed, held within 50 ms and 5 s, and 200 ms at start.
// Timestamps are the issuers' own: whoever sends more than a tenth of the
// messages can move h within these limits, no further. When a network becomes
// more than three times slower at once, about a hundred honest messages are
// taken for lazy before h follows; their issuers approve them with their own
// next message or issue them again.
//
// # Size of the pool
//
// With equal weights, k parents, r messages a second and delay h, the pool has
// L0 = k r h / (k-1) tips and a tip stays in it for k h / (k-1) on average.
// This follows in three lines. An issuer sees the pool of L tips; each is
// chosen at the rate k r / L; so a tip waits L / (k r) until its first
// approver is issued, and h more until that approver arrives here and takes
// it out. By Little's law L = r (L/(k r) + h), which gives both.
//
// Popov ("The Tangle", section 3) has the same L0; his time to first approval,
// L0/(k r) = h/(k-1), ends when the approver is issued, ours when it arrives,
// h later: only that one is the time spent in the pool. Kusmierz et al.
// ("Properties of the Tangle for Uniform Random and Random Walk Tip
// Selection", 2019) confirm L0 by simulation; the tests of this package do it
// for this code. Favouring old tips costs something: among them are those
// whose approver is already on its way. With w above and k = 2 the pool
// is 12 % larger than L0, 8 % for k = 3, while the oldest of 200,000 tips waited
// 9 h instead of 13 h.
//
// A pool above 1.5 L0 (k = 2) and above 16 tips is inflated: some issuers add
// more than they approve. [Selector.Pick] then returns min(8, ceil(2*pool/L0))
// tips. The arrival rate r is that of tips that are not lazy, and the pool
// is counted without its lazy tips as long as it holds enough others to fill a
// pick: those would be chosen anyway, so that more parents would make honest
// messages larger without one lazy tip being approved.
//
// # Bounds
//
// Tips leave after 60 s, and at most [Options.MaxTips] are kept: the oldest of
// the laziest class goes first, and is counted. Memory once used for tips is
// kept for the next ones. Adding, removing and picking take constant time
// whatever the pool's size; tips are found by a Go map with its secret seed,
// so crafted IDs do not collide in it.
//
// # Errors
//
// Nothing here fails. A tip added twice is counted and ignored; removing an
// unknown one reports false; an empty pool gives an empty pick, and it is
// the owner who then approves its newest final message or the genesis.
package tipselect
