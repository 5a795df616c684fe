package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"tangled/node"
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
	seats := len(d.net.Genesis.Committee)
	s.printf("city %s: network %x, %d bits of work a message\n", d.net.Genesis.Name, d.net.Genesis.Network(), d.net.Genesis.DataBits)
	for _, m := range d.net.Members {
		mqtt := ""
		if m.MQTT != nil {
			mqtt = "  mqtt " + m.MQTT.Addr().String()
		}
		s.printf("  %s %-9s  grpc %s%s\n", m.Name, m.Role, m.API.Addr(), mqtt)
	}
	s.printf("committee: %d seats, on the middle nodes; %d make a quorum\n", seats, seats*2/3+1)
	s.printf("query the permanode: tangled query --api %s --topic 'florence/#' --desc --limit 10\n", d.permanode().API.Addr())
	s.printf("follow what becomes final: tangled follow --api %s --topic 'florence/#'\n", d.permanode().API.Addr())
	s.printf("see the anchors: tangled anchors list --api %s\n", d.permanode().API.Addr())
	s.printf("%d sensors, %v readings a second each; Ctrl-C stops\n\n", d.opts.sensors, d.opts.rate)
}

// show draws the state of things.
func (s *screen) show(d *demo) {
	if s.json || !s.terminal && time.Since(s.plainAt) < plainEvery {
		return
	}
	s.plainAt = time.Now()
	text := s.table(d)
	if s.terminal && s.drawn > 0 {
		fmt.Fprintf(s.out, "\x1b[%dA\x1b[J", s.drawn)
	}
	s.drawn = strings.Count(text, "\n")
	fmt.Fprint(s.out, text)
}

func (s *screen) table(d *demo) string {
	var b strings.Builder
	now := time.Now()
	t := newTable(&b, "NODE", "ROLE", "MESSAGES", "TIPS", "NEIGHBOURS", "MESSAGES/S", "ANCHOR", "LEDGER AGE", "SEATS")
	for _, m := range d.net.Members {
		if m == d.stopped {
			t.row(m.Name, "stopped", "-", "-", "-", "-", "-", "-", "-")
			continue
		}
		info, err := m.Node.Info(context.Background())
		if err != nil {
			continue // it has failed, and the end will tell
		}
		rate := float64(info.Messages-s.before[m.Name]) / now.Sub(s.beforeAt).Seconds()
		s.before[m.Name] = info.Messages
		t.row(m.Name, string(m.Role), count(info.Messages), strconv.Itoa(info.Tips), strconv.Itoa(info.Peers),
			fmt.Sprintf("%.0f", rate), count(info.Anchor), secondsSince(info.LedgerTime, now), seatsSeen(info))
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

// secondsSince is how long before now a time was, in ns since the Unix epoch.
func secondsSince(ns uint64, now time.Time) string {
	return fmt.Sprintf("%.1fs", now.Sub(time.Unix(0, int64(ns))).Seconds())
}

func seatsSeen(info node.Info) string {
	seen := 0
	for _, s := range info.Seats {
		if s.Seen {
			seen++
		}
	}
	return fmt.Sprintf("%d of %d", seen, len(info.Seats))
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
	}
	return r.verdict()
}
