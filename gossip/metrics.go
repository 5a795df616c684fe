package gossip

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Why something was dropped: the label values of tangled_gossip_drops_total.
const (
	dropAnnounceQueue = "announce_queue"    // messages: Announce found its queue full
	dropAnnounceSize  = "announce_size"     // messages: empty or longer than a message may be
	dropPublish       = "publish"           // messages: GossipSub refused our frame
	dropPeerQueue     = "peer_queue"        // frames: a peer reads too slowly
	dropPeerControl   = "peer_control"      // GossipSub's own control messages: likewise
	dropValidateQueue = "validate_queue"    // frames: too many wait to be judged
	dropThrottle      = "validate_throttle" // frames: too many are being judged
	dropDelivery      = "delivery"          // frames: no room in a subscription
	dropPolicy        = "policy"            // frames: signed or authored, which none may be
	dropClosing       = "closing"           // frames: came while the node closed
)

// What was invalid: the label values of tangled_gossip_invalid_total.
const (
	invalidFrame  = "frame"   // bytes that are no frame
	invalidJudged = "judged"  // Options.Judge rejected it
	invalidPolicy = "policy"  // a signed or authored GossipSub message
	invalidStream = "stream"  // rubbish on the stream of an exchange
	invalidByNode = "by_node" // Penalise
)

// How an exchange ended: label values of tangled_gossip_exchanges_total.
const (
	outcomeOK      = "ok"
	outcomeTimeout = "timeout"
	outcomeInvalid = "invalid"
	outcomeBusy    = "busy"
	outcomeFailed  = "failed"
)

type metrics struct {
	frames    *prometheus.CounterVec
	messages  *prometheus.CounterVec
	drops     *prometheus.CounterVec
	invalid   *prometheus.CounterVec
	bans      prometheus.Counter
	exchanges *prometheus.CounterVec
	connected prometheus.Gauge
}

// newMetrics makes the metrics and registers them; with a nil reg they count
// all the same.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		frames: counters("frames_total",
			"Frames, by direction: received from peers (each copy) or sent to them.", "direction"),
		messages: counters("messages_total",
			"Messages in frames, by direction: in frames judged here, or announced by this node.", "direction"),
		drops: counters("drops_total",
			"What was given up for want of room, by reason: messages before they are in a frame, frames after. Fetch repairs it.", "reason"),
		invalid: counters("invalid_total",
			"What peers got wrong and were charged for, by kind.", "kind"),
		bans: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tangled_gossip_bans_total",
			Help: "Timed bans of peers that sent too much invalid.",
		}),
		exchanges: counters("exchanges_total",
			"Fetch, tips and sync exchanges, by protocol, side (client or server) and outcome.", "protocol", "side", "outcome"),
		connected: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tangled_gossip_peers_connected",
			Help: "Peers with at least one connection.",
		}),
	}
	if reg == nil {
		return m, nil
	}
	for i, c := range m.collectors() {
		if err := reg.Register(c); err != nil {
			// Not the rest: an equal one there is another node's.
			unregister(reg, m.collectors()[:i])
			return nil, fmt.Errorf("register gossip metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.frames, m.messages, m.drops, m.invalid, m.bans, m.exchanges, m.connected}
}

// unregister lets a node of the same process use the registerer after this one.
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

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tangled_gossip_" + name, Help: help}, labels)
}

func (m *metrics) drop(reason string, n int) { m.drops.WithLabelValues(reason).Add(float64(n)) }
