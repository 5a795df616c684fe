package main

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tangled/gossip/memnet"
	"tangled/internal/localnet"
	"tangled/message"
)

// inBubble runs a test on a demo's network in memory, with its neighbours
// connected.
func inBubble(t *testing.T, test func(t *testing.T, d *demo)) {
	synctest.Test(t, func(t *testing.T) {
		o := demoOptions{middle: 4, permanodes: 1}
		n, err := localnet.Start(t.Context(), localnet.Options{
			Name: "florence", Middle: o.middle, Permanodes: o.permanodes, Memory: memnet.New(), Dir: t.TempDir(),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := n.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}()
		d := &demo{opts: o, net: n, propagation: newPropagation()}
		if err := d.waitForPeers(t.Context()); err != nil {
			t.Fatal(err)
		}
		test(t, d)
	})
}

// TestLeave: what a node acknowledged right before it goes does not go with it.
func TestLeave(t *testing.T) {
	inBubble(t, func(t *testing.T, d *demo) {
		m := d.lastSeat()
		if m != d.net.Members[3] {
			t.Fatalf("the last seat is at %s", m.Name)
		}
		var ids []message.ID
		for i := range 20 {
			id, err := m.Node.Issue(t.Context(), message.Data{Topic: "a/b", Content: fmt.Append(nil, i)})
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
		if err := leave(t.Context(), m.Node); err != nil {
			t.Fatal(err)
		}
		if err := m.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		for _, id := range ids {
			if _, err := d.permanode().Node.Get(id); err != nil {
				t.Errorf("the permanode has no %v: %v", id, err)
			}
		}
	})
}

// TestLeaveIsBounded: a node that nobody hears any more goes all the same.
func TestLeaveIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, d *demo) {
		for _, m := range d.net.Members[:3] {
			if err := m.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		n := d.lastSeat().Node
		if _, err := n.Issue(t.Context(), message.Data{Topic: "a/b"}); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := leave(t.Context(), n); err != nil || time.Since(start) != leavePatience {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// TestTable: it fits a terminal of 100 columns, and a stopped node does not put
// the columns out of line.
func TestTable(t *testing.T) {
	inBubble(t, func(t *testing.T, d *demo) {
		d.started, d.opts.duration = time.Now(), time.Minute
		d.load, _ = oneSensor(3)
		d.load.acks = newDistribution()
		s := newScreen(t.Output(), false)
		s.beforeAt = time.Now()
		for range 20 {
			if _, err := d.net.Members[0].Node.Issue(t.Context(), message.Data{Topic: "a/b"}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		rows := func() []string {
			text := s.table(d)
			t.Log("\n" + text)
			lines := strings.Split(text, "\n")
			for _, line := range lines {
				if len(line) > 100 {
					t.Errorf("%d columns: %s", len(line), line)
				}
			}
			return lines[:6]
		}
		for _, row := range rows()[1:] {
			if !strings.HasSuffix(row, "4 of 4") {
				t.Errorf("not all seats were seen: %s", row)
			}
		}
		d.stopped = d.lastSeat()
		lines := rows()
		at := strings.Index(lines[0], "SEATS")
		if lines[4][at:] != "-" || lines[5][at:] != "4 of 4" {
			t.Errorf("out of line:\n%s\n%s\n%s", lines[0], lines[4], lines[5])
		}
	})
}
