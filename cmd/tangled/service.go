package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"

	"tangled/api"
	"tangled/gossip"
	"tangled/ingest"
	"tangled/node"
)

const (
	// closeTimeout bounds the orderly end of the edges. Clients with readings
	// under way are answered within it; a supervisor that waits 30 s before it
	// kills sees an orderly end.
	closeTimeout = 15 * time.Second
	// healthEvery is how often a node is asked whether it has to be given up.
	healthEvery = time.Second
)

// service is a node with its edges, as run runs it. The edges that the config
// switches off are nil.
type service struct {
	config  *config
	logger  *slog.Logger
	node    *node.Node
	broker  *ingest.Broker
	api     *api.Server
	metrics *metricsServer
	first   firstStart
}

// openService starts the node, then what depends on it. On an error nothing is
// left running.
func openService(ctx context.Context, c *config, logger *slog.Logger) (s *service, err error) {
	s = &service{config: c, logger: logger}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close(ctx))
			s = nil
		}
	}()
	files, err := c.readSecrets()
	if err != nil {
		return s, err
	}
	registry := newRegistry()
	options, err := c.nodeOptions(files, logger, registry)
	if err != nil {
		return s, err
	}
	s.first = firstStart{path: filepath.Join(filepath.Dir(c.Key), firstStartFile), logger: logger}
	given, err := s.first.given()
	if err != nil {
		return s, err
	}
	options.FirstStart = given || c.FirstStart
	if s.node, err = node.Open(ctx, options); err != nil {
		return s, err
	}
	if given {
		s.first.watch(ctx, s.node)
	}
	if c.MQTT.Listen != "" {
		if s.broker, err = ingest.Listen(ctx, c.brokerOptions(s.node, logger, registry)); err != nil {
			return s, explainListen("mqtt.listen", c.MQTT.Listen, err)
		}
	}
	if c.API.Listen != "" {
		s.api, err = api.Open(ctx, s.node, api.Options{
			Listen: c.API.Listen, Version: buildInfo().Version, Logger: logger, Registerer: registry,
		})
		if err != nil {
			return s, err
		}
	}
	if c.Metrics.Listen != "" {
		if s.metrics, err = serveMetrics(ctx, c.Metrics.Listen, registry, logger); err != nil {
			return s, explainListen("metrics.listen", c.Metrics.Listen, err)
		}
	}
	return s, nil
}

func (c *config) nodeOptions(files secrets, logger *slog.Logger, registry prometheus.Registerer) (node.Options, error) {
	peers, err := peer.AddrInfosFromP2pAddrs(c.Gossip.Peers...)
	if err != nil {
		return node.Options{}, c.fail("gossip.peers", err)
	}
	return node.Options{
		Dir:     c.DataDir,
		Genesis: files.genesis,
		Key:     files.key,
		Role:    c.Role,
		Gossip: gossip.Options{
			SwarmKey: files.swarmKey, Listen: c.Gossip.Listen, Peers: peers, Open: c.Gossip.Open,
		},
		MinFree:          uint64(c.Storage.MinFree),
		Retention:        time.Duration(c.Storage.Retention),
		Topics:           c.topicRetentions(),
		LegalHold:        c.Storage.LegalHold,
		MaxDisk:          uint64(c.Storage.MaxDisk),
		SnapshotInterval: time.Duration(c.Storage.SnapshotInterval),
		SnapshotKeep:     c.Storage.SnapshotKeep,
		Trust:            c.Storage.Trust.option(),
		CacheBytes:       int64(c.Storage.Cache),
		Logger:           logger,
		Registerer:       registry,
	}, nil
}

func (c *config) brokerOptions(issuer ingest.Issuer, logger *slog.Logger, registry prometheus.Registerer) ingest.Options {
	return ingest.Options{
		Address:                  c.MQTT.Listen,
		Issuer:                   issuer,
		MaxConnections:           c.MQTT.MaxConnections,
		MaxConnectionsPerAddress: c.MQTT.MaxConnectionsPerAddress,
		MaxSessions:              c.MQTT.MaxSessions,
		MaxSubscriptions:         c.MQTT.MaxSubscriptions,
		MaxInFlight:              c.MQTT.MaxInFlight,
		Window:                   c.MQTT.Window,
		MaxPacketSize:            int(c.MQTT.MaxPacketSize),
		ConnectTimeout:           c.MQTT.ConnectTimeout,
		WriteTimeout:             c.MQTT.WriteTimeout,
		Logger:                   logger,
		Registerer:               registry,
	}
}

// wait returns nil when ctx ends, and an error when a part of the service has
// come to its end: a supervisor should then start it again.
func (s *service) wait(ctx context.Context) error {
	var apiDone, metricsDone <-chan struct{} // nil never ends
	if s.api != nil {
		apiDone = s.api.Done()
	}
	if s.metrics != nil {
		metricsDone = s.metrics.done
	}
	ticker := time.NewTicker(healthEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			s.logger.Info("stopping: a second signal ends at once")
			return nil
		case <-apiDone:
			return errors.New("the API stopped serving")
		case <-metricsDone:
			return errors.New("the metrics page stopped serving")
		case <-ticker.C:
			if err := s.node.Health(); fatal(err) {
				return fmt.Errorf("the node stopped: %w", err)
			}
		}
	}
}

// Close ends the edges first, so that what they took in is durable and
// acknowledged before the node closes. It may be called when ctx has ended and
// on a service that was opened in part.
func (s *service) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	var errs []error
	if s.broker != nil {
		errs = append(errs, s.broker.Close(ctx))
	}
	if s.api != nil {
		errs = append(errs, s.api.Close(ctx))
	}
	if s.metrics != nil {
		errs = append(errs, s.metrics.Close())
	}
	if s.node != nil {
		errs = append(errs, s.node.Close())
	}
	s.first.Close()
	return errors.Join(errs...)
}

// readiness is what run prints once.
type readiness struct {
	Ready   bool     `json:"ready"`
	Network string   `json:"network"`
	Role    string   `json:"role"`
	PeerID  string   `json:"peer_id"`
	Gossip  []string `json:"gossip"`
	MQTT    string   `json:"mqtt,omitempty"`
	API     string   `json:"api,omitempty"`
	Metrics string   `json:"metrics,omitempty"`
}

func (s *service) ready(ctx context.Context) (readiness, error) {
	info, err := s.node.Info(ctx)
	if err != nil {
		return readiness{}, fmt.Errorf("describe the node: %w", err)
	}
	r := readiness{Ready: true, Network: info.Network, Role: string(info.Role), PeerID: info.PeerID.String(), Gossip: []string{}}
	for _, a := range info.Addrs {
		r.Gossip = append(r.Gossip, a.String()+"/p2p/"+r.PeerID)
	}
	if s.broker != nil {
		r.MQTT = s.broker.Addr().String()
	}
	if s.api != nil {
		r.API = s.api.Addr().String()
	}
	if s.metrics != nil {
		r.Metrics = s.metrics.addr.String()
	}
	return r, nil
}

func (r readiness) String() string {
	parts := []string{"ready", "network=" + r.Network, "role=" + r.Role, "peer=" + r.PeerID, "gossip=" + strings.Join(r.Gossip, ",")}
	for _, p := range [][2]string{{"mqtt", r.MQTT}, {"api", r.API}, {"metrics", r.Metrics}} {
		if p[1] != "" {
			parts = append(parts, p[0]+"="+p[1])
		}
	}
	return strings.Join(parts, " ")
}
