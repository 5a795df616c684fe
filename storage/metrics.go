package storage

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	commits  prometheus.Counter
	messages prometheus.Counter
	bytes    prometheus.Counter
	anchors  prometheus.Counter
	final    prometheus.Counter
}

// newMetrics makes the metrics and registers them; with a nil reg they count
// all the same.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		commits:  counter("commits_total", "Synced batches of messages written."),
		messages: counter("messages_total", "Messages made durable."),
		bytes:    counter("message_bytes_total", "Bytes of messages made durable, without index rows."),
		anchors:  counter("anchors_total", "Anchors made durable, each with what it fixes in one synced batch."),
		final:    counter("final_messages_total", "Messages made durable as final."),
	}
	if reg == nil {
		return m, nil
	}
	for i, c := range m.collectors() {
		if err := reg.Register(c); err != nil {
			// Not the rest: an equal one there is another store's.
			unregister(reg, m.collectors()[:i])
			return nil, fmt.Errorf("register storage metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.commits, m.messages, m.bytes, m.anchors, m.final}
}

// unregister lets a store of the same process use the registerer after this
// one.
func (m *metrics) unregister(reg prometheus.Registerer) {
	if reg != nil {
		unregister(reg, m.collectors())
	}
}

func unregister(reg prometheus.Registerer, collectors []prometheus.Collector) {
	for _, c := range collectors {
		reg.Unregister(c)
	}
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: "tangled_storage_" + name, Help: help})
}
