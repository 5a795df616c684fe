package storage

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	commits  prometheus.Counter
	messages prometheus.Counter
	bytes    prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		commits: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tangled_storage_commits_total",
			Help: "Synced batches written.",
		}),
		messages: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tangled_storage_messages_total",
			Help: "Messages made durable.",
		}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tangled_storage_message_bytes_total",
			Help: "Bytes of messages made durable, without index rows.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.commits, m.messages, m.bytes)
	}
	return m
}
