package bench

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"tangled/internal/localnet"
)

// checkResult holds what is true of every run in which nothing went wrong.
func checkResult(t *testing.T, r Result) {
	t.Helper()
	switch {
	case r.Durable <= 0 || r.Durable > r.Offered:
		t.Errorf("%v durable of %v offered a second", r.Durable, r.Offered)
	case r.Lost != 0:
		t.Errorf("lost %d", r.Lost)
	case r.Ack.P50 <= 0 || r.Ack.P95 < r.Ack.P50 || r.Ack.P99 < r.Ack.P95:
		t.Errorf("acknowledged after %+v", r.Ack)
	case r.RSSPeak < 1<<20 || r.Disk < float64(r.MessageBytes)/2 || r.WriteAmplification < 1:
		t.Errorf("%d bytes of memory, %v bytes on disk a reading, written %v times", r.RSSPeak, r.Disk, r.WriteAmplification)
	case (r.Gossip > 0) != (r.Nodes > 1):
		t.Errorf("%d nodes sent each other %d bytes", r.Nodes, r.Gossip)
	}
	if r.Seats > 0 && (r.FinalAfter.P50 <= r.Ack.P50 || r.FinalAfter.P99 < r.FinalAfter.P50) {
		t.Errorf("final after %+v, acknowledged after %+v", r.FinalAfter, r.Ack)
	}
	sum := 0.0
	for _, us := range r.CPUByStage {
		sum += us
	}
	if sum -= r.CPU + r.GeneratorCPU; sum < -0.1 || sum > 0.1 {
		t.Errorf("the stages have %v us more than %v and %v", sum, r.CPU, r.GeneratorCPU)
	}
}

func TestRun(t *testing.T) {
	tests := map[string]Options{
		"direct":  {Sources: 20},
		"issuers": {Issuers: 3, PowBits: 4, Sources: 20},
		"grpc":    {Via: GRPC, Sources: 300, Rate: 600}, // two streams
		"mqtt":    {Via: MQTT, Sources: 250, Rate: 500}, // some connections with three, some with two
		"network": {Nodes: 3, Rate: 300, Sources: 30, Queries: 50},
	}
	for name, o := range tests {
		t.Run(name, func(t *testing.T) {
			o.Duration, o.Dir = time.Second, t.TempDir()
			r, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			checkResult(t, r)
			if len(r.Dropped) > 0 {
				t.Errorf("dropped %v", r.Dropped)
			}
			if len(r.Timeline) != 1 {
				t.Errorf("%d seconds in the timeline, want 1", len(r.Timeline))
			}
			if (r.Query != nil) != (o.Queries > 0) || r.Query != nil && r.Query.PerSecond == 0 {
				t.Errorf("queries: %+v", r.Query)
			}
		})
	}
}

func TestRunAtARate(t *testing.T) {
	r, err := Run(t.Context(), Options{Rate: 100, Sources: 10, Duration: time.Second, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	checkResult(t, r)
	if r.Offered != 100 {
		t.Errorf("%v offered a second, want 100", r.Offered)
	}
}

func TestRunWithoutSeats(t *testing.T) {
	o := Options{Nodes: 2, Seats: localnet.NoSeats, Rate: 200, Duration: 500 * time.Millisecond, Dir: t.TempDir()}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	checkResult(t, r)
	if r.Final != 0 || r.FinalAfter != (Percentiles{}) || r.Seats != 0 {
		t.Errorf("%v final a second after %+v with %d seats", r.Final, r.FinalAfter, r.Seats)
	}
}

func TestRunTellsOfProgress(t *testing.T) {
	var phases []string
	o := Options{
		Rate: 100, Warmup: 600 * time.Millisecond, Duration: 600 * time.Millisecond, Dir: t.TempDir(),
		Progress: func(p Progress) {
			if len(phases) == 0 || phases[len(phases)-1] != p.Phase {
				phases = append(phases, p.Phase)
			}
			if p.Acknowledged > p.Sent || p.Elapsed > p.Total || p.Step != 1 || p.Steps != 1 {
				t.Errorf("progress %+v", p)
			}
		},
	}
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if want := []string{"warm-up", "measure", "settle", "read back"}; !slices.Equal(phases, want) {
		t.Errorf("phases %v, want %v", phases, want)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o := Options{Duration: time.Hour, Dir: t.TempDir(), Progress: func(p Progress) {
		if p.Acknowledged > 0 {
			cancel()
		}
	}}
	if _, err := Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

// What a run costs is known under these names, and under no others.
func TestResultAsJSON(t *testing.T) {
	text, err := json.Marshal(Result{})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"ack_ms", "cores", "cpu_us_by_stage", "cpu_us_per_message", "disk_bytes_per_message", "dropped",
		"durable_per_second", "final_ms", "final_per_second", "generator_cpu_us_per_message", "gossip_bytes", "lost",
		"message_bytes", "nodes", "offered_per_second", "pow_bits", "rss_peak_bytes", "seats", "via", "write_amplification",
	}
	if keys := slices.Sorted(maps.Keys(got)); !slices.Equal(keys, want) {
		t.Errorf("keys %v, want %v", keys, want)
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	tests := map[string]func(*Options){
		"nodes":    func(o *Options) { o.Nodes = 33 },
		"seats":    func(o *Options) { o.Seats = 2 },
		"duration": func(o *Options) { o.Duration = -1 },
		"warmup":   func(o *Options) { o.Warmup = -1 },
		"rate":     func(o *Options) { o.Rate = -1 },
		"size":     func(o *Options) { o.Size = 63 },
		"topics":   func(o *Options) { o.Topics = -1 },
		"via":      func(o *Options) { o.Via = "pigeon" },
		"issuers":  func(o *Options) { o.Issuers, o.Via = 1, GRPC },
		"pow-bits": func(o *Options) { o.PowBits = 41 },
		"sources":  func(o *Options) { o.Sources = -1 },
		"queries":  func(o *Options) { o.Queries = -1 },
		"dir":      func(o *Options) { o.Dir = "" },
	}
	for option, change := range tests {
		t.Run(option, func(t *testing.T) {
			o := Options{Dir: t.TempDir()}
			change(&o)
			_, err := Run(t.Context(), o)
			if e := new(OptionError); !errors.As(err, &e) || e.Option != option {
				t.Errorf("error %v, want one of --%s", err, option)
			}
		})
	}
}

func TestSteps(t *testing.T) {
	o := DLTaaS(Options{Nodes: 2, Dir: t.TempDir()}, 500*time.Millisecond)
	o.Sources = []int{1, 5}
	o.Rates = []float64{4, 20}
	var told []Step
	o.Done = func(s Step) { told = append(told, s) }
	r, err := Steps(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(told, r.Steps) || len(r.Steps) != 4 {
		t.Fatalf("told of %d steps of %d, want 4", len(told), len(r.Steps))
	}
	for i, want := range []struct {
		sources int
		rate    float64
	}{{1, 4}, {5, 4}, {1, 20}, {5, 20}} {
		s := r.Steps[i]
		all := float64(want.sources) * want.rate
		if s.Sources != want.sources || s.Rate != want.rate || s.Offered != all || s.Durable != all || s.Final != all {
			t.Errorf("step %+v, want %v readings a second of %d sources", s, all, want.sources)
		}
		if s.Lost != 0 || s.Publish.P50 <= 0 || s.FinalAfter.P50 <= s.Publish.P50 {
			t.Errorf("step %+v", s)
		}
	}
}
