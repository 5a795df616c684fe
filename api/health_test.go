package api

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

const (
	serving    = healthv1.HealthCheckResponse_SERVING
	notServing = healthv1.HealthCheckResponse_NOT_SERVING
)

func TestHealthFollowsTheNode(t *testing.T) {
	services := []string{"", "tangled.v1.MessagesService", "tangled.v1.HistoryService", "tangled.v1.NodeService", "tangled.v1.LedgerService", "tangled.v1.ProofsService"}
	steps := []struct {
		name   string
		change func(f *fixture)
		want   [6]healthv1.HealthCheckResponse_ServingStatus
	}{
		{"open", func(f *fixture) {}, [6]healthv1.HealthCheckResponse_ServingStatus{serving, serving, serving, serving, serving, serving}},
		{"disk low", func(f *fixture) { f.disk.free.Store(1) }, [6]healthv1.HealthCheckResponse_ServingStatus{notServing, notServing, serving, serving, serving, serving}},
		{"room again", func(f *fixture) { f.disk.free.Store(1 << 40) }, [6]healthv1.HealthCheckResponse_ServingStatus{serving, serving, serving, serving, serving, serving}},
		{"node closed", func(f *fixture) { f.node.Close() }, [6]healthv1.HealthCheckResponse_ServingStatus{notServing, notServing, notServing, notServing, notServing, notServing}},
	}
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		client := healthv1.NewHealthClient(f.conn)
		for _, step := range steps {
			step.change(f)
			time.Sleep(3 * time.Second) // the node looks every second, and so do we
			for i, service := range services {
				got, err := client.Check(t.Context(), &healthv1.HealthCheckRequest{Service: service})
				if err != nil || got.Status != step.want[i] {
					t.Errorf("%s: %q is %v, %v; want %v", step.name, service, got.GetStatus(), err, step.want[i])
				}
			}
		}
		_, err := client.Check(t.Context(), &healthv1.HealthCheckRequest{Service: "tangled.v1.Nothing"})
		wantError(t, "unknown service", err, codes.NotFound, "")
	})
}

func TestHealthWatch(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		watch, err := healthv1.NewHealthClient(f.conn).Watch(t.Context(), &healthv1.HealthCheckRequest{})
		if err != nil {
			t.Fatalf("Watch: %v", err)
		}
		next := func() healthv1.HealthCheckResponse_ServingStatus {
			t.Helper()
			got, err := watch.Recv()
			if err != nil {
				t.Fatalf("Recv: %v", err)
			}
			return got.Status
		}
		if got := next(); got != serving {
			t.Errorf("at first %v", got)
		}
		f.disk.free.Store(1)
		if got := next(); got != notServing {
			t.Errorf("with a full disk %v", got)
		}
		f.disk.free.Store(1 << 40)
		if got := next(); got != serving {
			t.Errorf("with room again %v", got)
		}
	})
}
