package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	tangledv1 "tangled/api/proto/tangled/v1"
)

// plainEvery is how often a screen that is no terminal gets a line.
const plainEvery = 5 * time.Second

// screen shows the demo: a table that is drawn again in place on a terminal, a
// line now and then elsewhere, and nothing but the result as JSON.
type screen struct {
	out      io.Writer
	json     bool
	terminal bool
	drawn    int // lines of the last table
	plainAt  time.Time
	before   map[string]uint64 // messages of each node at the last table
	beforeAt time.Time
}

func newScreen(out io.Writer, asJSON bool) *screen {
	s := &screen{out: out, json: asJSON, before: make(map[string]uint64)}
	if f, ok := out.(*os.File); ok {
		if info, err := f.Stat(); err == nil {
			s.terminal = info.Mode()&os.ModeCharDevice != 0
		}
	}
	return s
}

// printf writes unless the result is all that is wanted. What cannot be shown
// is no reason to stop the city.
func (s *screen) printf(format string, args ...any) {
	if !s.json {
		fmt.Fprintf(s.out, format, args...)
	}
}

func (s *screen) begin(d *demo) {
	s.beforeAt = time.Now()
	g, permanode := d.city.genesis, d.city.permanode()
	seats := len(g.Committee)
	s.printf("city %s: network %x, %d bits of work a message\n", g.Name, g.Network(), g.DataBits)
	for _, n := range d.city.nodes {
		mqtt := ""
		if n.mqtt != "" {
			mqtt = "  mqtt " + n.mqtt
		}
		s.printf("  %s %-9s  grpc %s%s\n", n.name, n.role, n.api, mqtt)
	}
	s.printf("committee: %d seats, on the middle nodes; %d make a quorum\n", seats, seats*2/3+1)
	s.printf("query the permanode: tangled query --api %s --topic 'florence/#' --desc --limit 10\n", permanode.api)
	s.printf("follow what becomes final: tangled follow --api %s --topic 'florence/#'\n", permanode.api)
	s.printf("see the anchors: tangled anchors list --api %s\n", permanode.api)
	if d.opts.chaos {
		s.printf("each node is a process; every %v one is killed and started again\n", d.opts.chaosEvery)
	}
	s.printf("%d sensors, %v readings a second each; Ctrl-C stops\n\n", d.opts.sensors, d.opts.rate)
}

// show draws the state of things.
func (s *screen) show(d *demo) {
	if s.json || !s.terminal && time.Since(s.plainAt) < plainEvery {
		return
	}
	s.plainAt = time.Now()
	text := s.table(d)
	s.wipe()
	s.drawn = strings.Count(text, "\n")
	fmt.Fprint(s.out, text)
}

// wipe takes the last table off a terminal.
func (s *screen) wipe() {
	if s.terminal && s.drawn > 0 {
		fmt.Fprintf(s.out, "\x1b[%dA\x1b[J", s.drawn)
	}
	s.drawn = 0
}

// note prints a line that stays, above the table.
func (s *screen) note(d *demo, line string) {
	if s.json {
		return
	}
	s.wipe()
	s.printf("%s\n", line)
	if s.terminal {
		s.show(d)
	}
}

func (s *screen) table(d *demo) string {
	var b strings.Builder
	now := time.Now()
	t := newTable(&b, "NODE", "ROLE", "MESSAGES", "TIPS", "NEIGHBOURS", "MESSAGES/S", "ANCHOR", "LEDGER AGE", "SEATS")
	for i, info := range statuses(d.city.nodes) {
		n := d.city.nodes[i]
		switch {
		case n.stopped.Load():
			t.row(n.name, "stopped", "-", "-", "-", "-", "-", "-", "-")
			continue
		case info == nil: // it is starting, or has failed, and the end will tell
			t.row(n.name, "away", "-", "-", "-", "-", "-", "-", "-")
			continue
		}
		rate := (float64(info.GetMessages()) - float64(s.before[n.name])) / now.Sub(s.beforeAt).Seconds()
		s.before[n.name] = info.GetMessages()
		t.row(n.name, string(n.role), count(info.GetMessages()), count(info.GetTips()), strconv.Itoa(int(info.GetPeers())),
			fmt.Sprintf("%.0f", max(rate, 0)), count(info.GetAnchor()), secondsSince(info.GetLedgerTimeNs(), now), seatsSeen(info))
	}
	s.beforeAt = now
	_ = t.flush() // to memory
	l := d.load
	acks, way, final := l.acks.percentiles(), d.propagation.delays.percentiles(), l.delays.percentiles()
	fmt.Fprintf(&b, "readings: %d published, %d acknowledged, %d final\n", l.published.Load(), l.acked.Load(), l.finals.Load())
	fmt.Fprintf(&b, "ms: ack p50 %.1f p99 %.1f; at the permanode p50 %.1f p99 %.1f; final p50 %.0f p95 %.0f\n",
		acks.P50, acks.P99, way.P50, way.P99, final.P50, final.P95)
	if d.opts.duration > 0 {
		b.WriteString(progressBar(time.Since(d.started), d.opts.duration))
	}
	return b.String()
}

// statuses asks all nodes at once; nil is one that does not answer.
func statuses(nodes []*demoNode) []*tangledv1.InfoResponse {
	infos := make([]*tangledv1.InfoResponse, len(nodes))
	var all sync.WaitGroup
	for i, n := range nodes {
		all.Go(func() { infos[i], _ = n.status(context.Background()) })
	}
	all.Wait()
	return infos
}

// secondsSince is how long before now a time was, in ns since the Unix epoch.
func secondsSince(ns uint64, now time.Time) string {
	return fmt.Sprintf("%.1fs", now.Sub(time.Unix(0, int64(ns))).Seconds())
}

func seatsSeen(info *tangledv1.InfoResponse) string {
	seen := 0
	for _, s := range info.GetSeats() {
		if s.GetSeen() {
			seen++
		}
	}
	return fmt.Sprintf("%d of %d", seen, len(info.GetSeats()))
}

func count(n uint64) string { return strconv.FormatUint(n, 10) }

// progressBar is one line.
func progressBar(done, all time.Duration) string {
	const width = 40
	filled := min(int(width*done/all), width)
	return fmt.Sprintf("[%s%s] %v of %v\n", strings.Repeat("#", filled), strings.Repeat(".", width-filled),
		min(done, all).Round(time.Second), all)
}

func (s *screen) settling() {
	s.drawn = 0 // the last table stays
	s.printf("waiting until every acknowledged reading is final on the permanode ...\n")
}

func (s *screen) auditing() {
	s.printf("reading every acknowledged reading back from the permanode ...\n")
}

// end prints the result; the error says what is missing.
func (s *screen) end(r demoResult) error {
	if s.json {
		if err := writeJSON(s.out, r); err != nil {
			return err
		}
	} else {
		s.printf("published %d, acknowledged %d, found %d, lost %d, final %d; %.0f messages/s on %d nodes\n",
			r.Published, r.Acknowledged, r.Found, r.Lost, r.Final, r.MessagesPerSecond, r.Nodes)
		s.printf("final %.1f ms after the acknowledgement at p50, %.1f ms at p95, %.1f ms at p99\n",
			r.FinalMS.P50, r.FinalMS.P95, r.FinalMS.P99)
		s.printf("%d anchors, the same on every node; %d rounds with two witnesses of one seat\n", r.Anchors, r.TwoWitnessRounds)
		if r.Kills > 0 {
			s.printf("%d kills; ready again after %.0f ms at p50, %.0f ms at p99\n", r.Kills, r.RestartMS.P50, r.RestartMS.P99)
		}
		s.printf("stored: at most %d on a middle node, %d on the permanode\n", r.Stored.MiddleMax, r.Stored.Permanode)
	}
	return r.verdict()
}
