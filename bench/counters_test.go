package bench

import (
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestDropped(t *testing.T) {
	registry := prometheus.NewRegistry()
	add := func(name string, label string, n float64) {
		vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name}, []string{"l"})
		if err := registry.Register(vec); err != nil {
			vec = err.(prometheus.AlreadyRegisteredError).ExistingCollector.(*prometheus.CounterVec)
		}
		vec.WithLabelValues(label).Add(n)
	}
	add("tangled_gossip_drops_total", "peer_queue", 2)
	add("tangled_gossip_drops_total", "publish", 0)
	add("tangled_node_invalid_messages_total", "work", 3)
	add("tangled_node_messages_total", "durable", 100)
	add("tangled_node_messages_total", "duplicate", 5)
	add("tangled_node_messages_total", "stale", 7)
	evicted := prometheus.NewCounter(prometheus.CounterOpts{Name: "tangled_node_orphans_evicted_total"})
	evicted.Add(4)
	registry.MustRegister(evicted, prometheus.NewGauge(prometheus.GaugeOpts{Name: "tangled_node_tips"}))
	c := make(counts)
	for range 2 { // two nodes that counted the same
		if err := c.gather(registry); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]uint64{"gossip_peer_queue": 4, "invalid_work": 6, "node_stale": 14, "orphans_evicted": 8}
	if got := c.dropped(); !maps.Equal(got, want) {
		t.Errorf("dropped %v, want %v", got, want)
	}
}

func TestSizeOf(t *testing.T) {
	dir := t.TempDir()
	for name, size := range map[string]int{"a": 10, "b/c": 20, "b/d/e": 3} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := sizeOf(dir); got != 33 || err != nil {
		t.Errorf("%d bytes, %v; want 33", got, err)
	}
	if _, err := sizeOf(filepath.Join(dir, "none")); err == nil {
		t.Error("a folder that is not there has a size")
	}
}
