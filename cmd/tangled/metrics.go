package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metricsServer is the page that Prometheus reads.
type metricsServer struct {
	addr   net.Addr
	server *http.Server
	done   chan struct{} // closed when serving ended, err is set before
	err    error
}

// newRegistry is a registry with what Go and the process tell of themselves.
func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

func serveMetrics(ctx context.Context, address string, from prometheus.Gatherer, logger *slog.Logger) (*metricsServer, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(from, promhttp.HandlerOpts{
		MaxRequestsInFlight: 4, Timeout: 10 * time.Second,
	}))
	s := &metricsServer{addr: l.Addr(), done: make(chan struct{}), server: &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      20 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    8 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}}
	go func() {
		defer close(s.done)
		if err := s.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.err = fmt.Errorf("serve metrics: %w", err)
		}
	}()
	return s, nil
}

// Close ends all requests and waits. It may be called twice.
func (s *metricsServer) Close() error {
	err := s.server.Close()
	<-s.done
	return errors.Join(err, s.err)
}
