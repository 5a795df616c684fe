package seat

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"tangled/consensus"
	"tangled/message"
)

// TestAhead: of a quorum whose third seat has a clock that is 3 s ahead a seat
// takes notice when that is near enough; and at once where the others suffice.
func TestAhead(t *testing.T) {
	for _, others := range []int{2, 3} {
		committee := newCommittee(t, equal(4)...)
		m := newMemory(committee, 0)
		p := NewPacemaker(Options{Committee: committee, Seat: 0, Last: 1})
		see := func(seat int, round uint64, at time.Duration) {
			stamp := uint64(epoch.Add(at).UnixNano())
			w := consensus.Witness{
				ID: message.NewID(stamp, sha256.Sum256(fmt.Append(nil, seat, round))), Seat: seat, Round: round, Refs: m.Refs(round - 1),
			}
			if !m.see(w).Counts {
				t.Fatal("does not count")
			}
		}
		for seat := range others {
			see(seat, 1, 0)
		}
		see(3, 1, 3*time.Second)
		if got := m.QuorumRound(); got != 1 {
			t.Fatalf("quorum of round %d", got)
		}
		due := time.Duration(-1)
		for at := time.Duration(0); at < 5*time.Second && due < 0; at += 100 * time.Millisecond {
			if round, ok := p.Next(m.Graph, epoch.Add(at), true); ok && round == 2 {
				due = at
			}
		}
		want := 3*time.Second - Ahead
		if others == 3 {
			want = 0
		}
		if due < want || due > want+600*time.Millisecond { // it may wait for the leader
			t.Errorf("with %d others the vote is due after %v, want about %v", others, due, want)
		}
	}
}

// TestAheadOfAllThatIsKept: when all that is within reach was decided and
// forgotten, nothing is offered, since there is nothing to refer to.
func TestAheadOfAllThatIsKept(t *testing.T) {
	committee := newCommittee(t, equal(4)...)
	m := newMemory(committee, 0)
	p := NewPacemaker(Options{Committee: committee, Seat: 3})
	for round := uint64(1); round <= 3; round++ {
		refs := m.Refs(round - 1)
		for seat := range 3 {
			stamp := uint64(epoch.UnixNano()) + round
			if round == 3 {
				stamp += uint64(10 * time.Second)
			}
			m.see(consensus.Witness{ID: message.NewID(stamp, sha256.Sum256(fmt.Append(nil, seat, round))), Seat: seat, Round: round, Refs: refs})
		}
		p.Next(m.Graph, epoch, true)
	}
	if m.NextWave() != 1 {
		t.Fatalf("next wave %d", m.NextWave())
	}
	if round, ok := p.Next(m.Graph, epoch.Add(5*time.Second), true); ok {
		t.Errorf("round %d is offered, with %d refs", round, len(m.Refs(round-1)))
	}
	if round, ok := p.Next(m.Graph, epoch.Add(10*time.Second), true); !ok || round != 4 {
		t.Errorf("round %d, %v, want 4", round, ok)
	}
}
