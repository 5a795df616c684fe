package ingest

import (
	"github.com/prometheus/client_golang/prometheus"
)

const namespace, subsystem = "tangled", "ingest"

type metrics struct {
	connections  prometheus.Gauge
	closed       *prometheus.CounterVec // by why
	accepted     prometheus.Counter
	refused      *prometheus.CounterVec // by reason
	postponed    prometheus.Counter
	acked        prometheus.Counter
	redelivered  prometheus.Counter
	panics       prometheus.Counter
	inFlight     prometheus.Gauge
	ackLatency   prometheus.Histogram
	undelivered  prometheus.Counter
	notRetained  prometheus.Counter
	acceptErrors prometheus.Counter
	willsLost    prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help})
	}
	counters := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help}, []string{label})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help})
	}
	m := &metrics{
		connections: gauge("connections", "Open MQTT connections, before and after CONNECT."),
		closed:      counters("connections_refused_total", "Connections and CONNECTs refused, by reason.", "reason"),
		accepted:    counter("readings_accepted_total", "Readings that became durable."),
		refused:     counters("readings_refused_total", "Readings that can never be accepted, by reason.", "reason"),
		postponed:   counter("readings_postponed_total", "Readings left unacknowledged after a temporary error, to be delivered again."),
		acked:       counter("acknowledgements_total", "PUBACK and PUBREC handed to the connection, negative ones included."),
		redelivered: counter("redeliveries_total", "PUBLISH packets recognized as delivered before and not issued again."),
		panics:      counter("panics_recovered_total", "Panics while serving a client, each of which ended one connection or one delivery."),
		inFlight:    gauge("readings_in_flight", "Readings being issued."),
		ackLatency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "acknowledgement_seconds",
			Help:    "Time from the receipt of a PUBLISH of QoS 1 or 2 to its acknowledgement.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15),
		}),
		undelivered:  counter("deliveries_dropped_total", "Messages not delivered to a subscriber that was too slow."),
		notRetained:  counter("retained_refused_total", "Messages distributed without being retained because the limit is reached."),
		willsLost:    counter("wills_lost_total", "Wills that did not become durable before the broker ended, or were too many."),
		acceptErrors: counter("accept_errors_total", "Temporary errors of accepting a connection."),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{
		m.connections, m.closed, m.accepted, m.refused, m.postponed, m.acked, m.redelivered, m.panics,
		m.inFlight, m.ackLatency, m.undelivered, m.notRetained, m.acceptErrors, m.willsLost,
	} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
