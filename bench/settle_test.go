package bench

import (
	"testing"
	"time"

	"tangled/node"
)

func TestAnchorTimes(t *testing.T) {
	a := newAnchorTimes(2)
	first, second := time.Unix(10, 0), time.Unix(20, 0)
	a.note(4, first)
	a.note(4, second) // nothing new
	a.note(5, second)
	for index, want := range map[uint64]time.Time{3: first, 4: first, 5: second} {
		if at, ok := a.of(index); !ok || !at.Equal(want) {
			t.Errorf("anchor %d at %v, %v; want %v", index, at, ok, want)
		}
	}
	for _, unknown := range []uint64{2, 6} {
		if _, ok := a.of(unknown); ok {
			t.Errorf("anchor %d has a time", unknown)
		}
	}
}

func TestSettled(t *testing.T) {
	// What two nodes tell, one time after the other, and whether that is the end.
	type look struct {
		waiting [2]int
		anchors [2]uint64
		want    bool
	}
	tests := map[string][]look{
		"at once":          {{[2]int{0, 0}, [2]uint64{7, 7}, true}},
		"one waits":        {{[2]int{0, 3}, [2]uint64{7, 7}, false}, {[2]int{0, 0}, [2]uint64{8, 8}, true}},
		"one is behind":    {{[2]int{0, 0}, [2]uint64{9, 7}, false}, {[2]int{0, 0}, [2]uint64{10, 9}, true}},
		"anchors go on":    {{[2]int{5, 5}, [2]uint64{7, 7}, false}, {[2]int{5, 5}, [2]uint64{9, 9}, false}},
		"behind and waits": {{[2]int{0, 2}, [2]uint64{9, 7}, false}, {[2]int{0, 0}, [2]uint64{9, 8}, false}, {[2]int{0, 0}, [2]uint64{12, 9}, true}},
	}
	for name, looks := range tests {
		t.Run(name, func(t *testing.T) {
			var s settling
			for i, l := range looks {
				infos := []node.Info{
					{Waiting: l.waiting[0], Anchor: l.anchors[0]},
					{Waiting: l.waiting[1], Anchor: l.anchors[1]},
				}
				if got := s.final(infos); got != l.want {
					t.Errorf("look %d: settled is %v, want %v", i, got, l.want)
				}
			}
		})
	}
	var s settling
	if !s.equal([]node.Info{{Messages: 3}, {Messages: 3}}) || s.equal([]node.Info{{Messages: 3}, {Messages: 2}}) {
		t.Error("two nodes are equal when they have equally many messages")
	}
}

// What goes no further is given up, and not before: what moves begins anew.
func TestStuck(t *testing.T) {
	var s settling
	now := time.Unix(100, 0)
	look := func(waiting int, after time.Duration, want bool) {
		t.Helper()
		now = now.Add(after)
		s.final([]node.Info{{Waiting: waiting, Anchor: uint64(now.Unix())}}) // anchors alone are no progress
		if got := s.stuck(now); got != want {
			t.Errorf("%d waiting at %v: stuck is %v, want %v", waiting, now, got, want)
		}
	}
	look(10, 0, false)
	look(10, settlePatience-time.Second, false)
	look(9, time.Second, false) // one less waits
	look(9, settlePatience-time.Second, false)
	look(9, time.Second, true)
}
