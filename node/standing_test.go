package node

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"tangled/message"
)

// TestStandings: whether history is asked for, and since when, follows from what
// became solid of what each peer offered.
func TestStandings(t *testing.T) {
	const a, b, c = peer.ID("a"), peer.ID("b"), peer.ID("c")
	tip := func(n uint64) message.ID { return message.NewID(n, [32]byte{1}) }
	solid := make(map[message.ID]bool)
	notSolid := func(ids []message.ID) (pending []message.ID) {
		for _, id := range ids {
			if !solid[id] {
				pending = append(pending, id)
			}
		}
		return pending
	}
	var p standings
	now := time.Unix(1, 0)
	check := func(what string, id peer.ID, since, crowded uint64) {
		t.Helper()
		if got := p.since(id, now, false); got != since {
			t.Errorf("%s: history of %s since %d, want %d", what, id, got, since)
		}
		if got := p.since(id, now, true); got != crowded {
			t.Errorf("%s: crowded, history of %s since %d, want %d", what, id, got, crowded)
		}
	}
	compare := func(id peer.ID, at uint64, pending int, tips ...message.ID) {
		t.Helper()
		if got := p.compare(id, tips, at, now, notSolid); len(got) != pending {
			t.Errorf("of %d tips %d are pending, want %d", len(tips), len(got), pending)
		}
	}

	check("a new network", a, 1, 1)
	p.rebuild(100)
	check("after a start", a, 100, 100)
	compare(a, 110, 2, tip(1), tip(2))
	check("an offer is not yet met", a, 100, 100)
	solid[tip(1)] = true
	compare(a, 120, 2, tip(2), tip(3))
	check("nor met in part", a, 100, 100)
	solid[tip(2)] = true
	compare(a, 130, 1, tip(3))
	check("the first is met, though there is a newer one", a, 0, 110)
	check("what one has that was never met is on its way, since another is met", b, 0, 100)

	p.linked(a)
	check("a link that begins again", a, 0, 110)
	compare(a, 140, 1, tip(3))
	now = now.Add(backAfter)
	check("and is not equal yet", a, 0, 110)
	now = now.Add(1)
	check("nor soon", a, 110, 110)
	solid[tip(3)] = true
	compare(a, 150, 0, tip(3))
	check("both offers are met", a, 0, 150)
	compare(c, 160, 0)
	check("who offers nothing is met", c, 0, 160)
	compare(a, 170, 1, tip(4))
	check("one more tip is no absence", a, 0, 150)
	now = now.Add(stuckAfter)
	compare(a, 180, 2, tip(4), tip(5))
	check("nor is one that takes long", a, 0, 150)
	now = now.Add(1)
	check("but one that does not come", a, 150, 150)
	solid[tip(4)] = true
	compare(a, 190, 1, tip(5))
	check("and comes in the end", a, 0, 170)

	p.rebuild(200)
	for _, id := range []peer.ID{a, b, c} {
		check("after another start", id, 200, 200)
	}
	for i := range 2 * maxStandings {
		compare(peer.ID(rune(i+256)), 210, 0)
	}
	if len(p.byPeer) > maxStandings {
		t.Errorf("%d peers are remembered", len(p.byPeer))
	}
}
