package bench

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/metrics"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/prometheus/client_golang/prometheus"

	"tangled/node"
)

// traffic counts the bytes that the nodes send each other over their streams. It
// keeps none of the statistics that are asked of a Reporter.
type traffic struct{ sent atomic.Uint64 }

var _ metrics.Reporter = (*traffic)(nil)

func (t *traffic) LogSentMessage(n int64)                              { t.sent.Add(uint64(n)) }
func (*traffic) LogRecvMessage(int64)                                  {}
func (*traffic) LogSentMessageStream(int64, protocol.ID, peer.ID)      {}
func (*traffic) LogRecvMessageStream(int64, protocol.ID, peer.ID)      {}
func (*traffic) GetBandwidthForPeer(peer.ID) (none metrics.Stats)      { return none }
func (*traffic) GetBandwidthForProtocol(protocol.ID) (s metrics.Stats) { return s }
func (*traffic) GetBandwidthTotals() (none metrics.Stats)              { return none }
func (*traffic) GetBandwidthByPeer() map[peer.ID]metrics.Stats         { return nil }
func (*traffic) GetBandwidthByProtocol() map[protocol.ID]metrics.Stats {
	return nil
}
func (*traffic) Reset()             {}
func (*traffic) TrimIdle(time.Time) {}

// counts are the values of counters by name, with its label's value behind a slash
// where it has one.
type counts map[string]float64

// gather adds what a node has counted.
func (c counts) gather(g prometheus.Gatherer) error {
	families, err := g.Gather()
	if err != nil {
		return err
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if m.GetCounter() == nil {
				continue
			}
			name := family.GetName()
			for _, label := range m.GetLabel() {
				name += "/" + label.GetValue()
			}
			c[name] += m.GetCounter().GetValue()
		}
	}
	return nil
}

// dropped is what was dropped, by reason.
func (c counts) dropped() map[string]uint64 {
	dropped := make(map[string]uint64)
	for name, n := range c {
		family, label, _ := strings.Cut(name, "/")
		switch {
		case n == 0:
			continue
		case family == "tangled_gossip_drops_total":
			dropped["gossip_"+label] += uint64(n)
		case family == "tangled_node_invalid_messages_total":
			dropped["invalid_"+label] += uint64(n)
		case family == "tangled_node_orphans_evicted_total":
			dropped["orphans_evicted"] += uint64(n)
		case family == "tangled_node_messages_total" && !kept(label):
			dropped["node_"+label] += uint64(n)
		}
	}
	return dropped
}

// kept tells whether a message that came to be in a state is not given up.
func kept(state string) bool {
	return slices.ContainsFunc([]node.State{node.Durable, node.Duplicate, node.Orphan, node.Held}, func(s node.State) bool {
		return s.String() == state
	})
}

// sizeOf is how many bytes the files below dir have.
func sizeOf(dir string) (size uint64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		size += uint64(info.Size())
		return nil
	})
	return size, err
}
