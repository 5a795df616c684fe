package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
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
	s.printf("city %s: network %x, %d bits of work a message\n", d.net.Genesis.Name, d.net.Genesis.Network(), d.net.Genesis.DataBits)
	for _, m := range d.net.Members {
		mqtt := ""
		if m.MQTT != nil {
			mqtt = "  mqtt " + m.MQTT.Addr().String()
		}
		s.printf("  %s %-9s  grpc %s%s\n", m.Name, m.Role, m.API.Addr(), mqtt)
	}
	s.printf("query the permanode: tangled query --api %s --topic 'florence/#' --desc --limit 10\n", d.permanode().API.Addr())
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
	t := newTable(&b, "NODE", "ROLE", "MESSAGES", "TIPS", "NEIGHBOURS", "MESSAGES/S")
	for _, m := range d.net.Members {
		info, err := m.Node.Info(context.Background())
		if err != nil {
			continue // it is being stopped
		}
		rate := float64(info.Messages-s.before[m.Name]) / now.Sub(s.beforeAt).Seconds()
		s.before[m.Name] = info.Messages
		t.row(m.Name, string(m.Role), count(info.Messages), strconv.Itoa(info.Tips), strconv.Itoa(info.Peers), fmt.Sprintf("%.0f", rate))
	}
	s.beforeAt = now
	_ = t.flush() // to memory
	published, acked := d.load.counts()
	acks, way := d.load.acks.percentiles(), d.propagation.delays.percentiles()
	fmt.Fprintf(&b, "readings: %d published, %d acknowledged; ack p50 %.1f ms, p99 %.1f ms; to the permanode p50 %.1f ms, p99 %.1f ms\n",
		published, acked, acks.P50, acks.P99, way.P50, way.P99)
	if d.opts.duration > 0 {
		b.WriteString(progressBar(time.Since(d.started), d.opts.duration))
	}
	return b.String()
}

func count(n uint64) string { return strconv.FormatUint(n, 10) }

// progressBar is one line.
func progressBar(done, all time.Duration) string {
	const width = 40
	filled := min(int(width*done/all), width)
	return fmt.Sprintf("[%s%s] %v of %v\n", strings.Repeat("#", filled), strings.Repeat(".", width-filled),
		min(done, all).Round(time.Second), all)
}

func (s *screen) auditing() {
	s.printf("reading every acknowledged reading back from the permanode ...\n")
}

// end prints the result; the error says that readings were lost.
func (s *screen) end(r demoResult) error {
	if s.json {
		if err := writeJSON(s.out, r); err != nil {
			return err
		}
	} else {
		s.printf("published %d, acknowledged %d, found %d, lost %d; %.0f messages/s on %d nodes\n",
			r.Published, r.Acknowledged, r.Found, r.Lost, r.MessagesPerSecond, r.Nodes)
	}
	if n := r.Published - r.Acknowledged; n > 0 {
		return fmt.Errorf("%d of %d readings were not acknowledged", n, r.Published)
	}
	if r.Published == 0 {
		return errors.New("no reading was published")
	}
	if r.Lost > 0 {
		return fmt.Errorf("%d acknowledged readings are not in the permanode's history", r.Lost)
	}
	return nil
}
