package api

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	streams  *prometheus.GaugeVec
	readings *prometheus.CounterVec
	inFlight prometheus.Gauge
}

// newMetrics makes the metrics and registers them; with a nil reg they count all the
// same.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tangled_api_requests_total",
			Help: "Calls that ended, streams included, by method and code.",
		}, []string{"method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "tangled_api_request_seconds",
			Help:    "Time from a unary call's request to its answer, by method.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 14),
		}, []string{"method"}),
		streams: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tangled_api_streams",
			Help: "Open streams, by method.",
		}, []string{"method"}),
		readings: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tangled_api_stream_readings_total",
			Help: "Readings of submit streams that were answered, by code.",
		}, []string{"code"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tangled_api_stream_readings_in_flight",
			Help: "Readings of submit streams that are in work or whose answer the client has not taken.",
		}),
	}
	if reg == nil {
		return m, nil
	}
	for i, c := range m.collectors() {
		if err := reg.Register(c); err != nil {
			// Not the rest: an equal one there is another server's.
			unregister(reg, m.collectors()[:i])
			return nil, fmt.Errorf("register api metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.seconds, m.streams, m.readings, m.inFlight}
}

// unregister lets a server of the same process use the registerer after this one.
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
