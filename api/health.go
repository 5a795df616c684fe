package api

import (
	"time"

	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/node"
)

// healthEvery is how often the node's health is looked at.
const healthEvery = time.Second

func (s *Server) pollHealth() {
	ticker := time.NewTicker(healthEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.tellHealth()
		case <-s.ctx.Done():
			return
		}
	}
}

// tellHealth brings the health service up to date. A full disk stops intake,
// not reading; so does catching up with the network.
func (s *Server) tellHealth() {
	err := s.node.Health()
	intake := servingStatus(err == nil)
	reading := servingStatus(err == nil || is(err, node.ErrDiskLow, node.ErrCatchingUp))
	s.health.SetServingStatus("", intake)
	s.health.SetServingStatus(tangledv1.MessagesService_ServiceDesc.ServiceName, intake)
	for _, desc := range []grpc.ServiceDesc{
		tangledv1.HistoryService_ServiceDesc, tangledv1.LedgerService_ServiceDesc,
		tangledv1.NodeService_ServiceDesc, tangledv1.ProofsService_ServiceDesc, tangledv1.UpkeepService_ServiceDesc,
	} {
		s.health.SetServingStatus(desc.ServiceName, reading)
	}
}

func servingStatus(ok bool) healthv1.HealthCheckResponse_ServingStatus {
	if ok {
		return healthv1.HealthCheckResponse_SERVING
	}
	return healthv1.HealthCheckResponse_NOT_SERVING
}
