package node

import (
	"github.com/prometheus/client_golang/prometheus"

	"tangled/tangle"
	"tangled/tipselect"
)

type metrics struct {
	invalid       *prometheus.CounterVec
	outcomes      *prometheus.CounterVec
	attached      prometheus.Counter
	evicted       prometheus.Counter
	fetched       prometheus.Counter
	overBudget    prometheus.Counter
	anchors       prometheus.Counter
	final         prometheus.Counter
	equivocations prometheus.Counter
	reissued      prometheus.Counter
	snapshots     prometheus.Counter
	pruned        prometheus.Counter
	adopted       prometheus.Counter
	filled        prometheus.Counter
	damaged       prometheus.Counter
	staleKept     prometheus.Counter
	diskFree      prometheus.Gauge
	mended        prometheus.Counter
	held          prometheus.Counter
	holding       prometheus.Gauge
	commitSeconds prometheus.Histogram
	vertices      prometheus.Gauge
	tips          prometheus.Gauge
	orphans       prometheus.Gauge
	orphanBytes   prometheus.Gauge
	pool          prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	m := &metrics{
		invalid: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tangled_node_invalid_messages_total",
			Help: "Messages refused for ever, by reason.",
		}, []string{"reason"}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tangled_node_messages_total",
			Help: "Valid messages that came through the door, by what became of them.",
		}, []string{"state"}),
		attached:      counter("tangled_node_attached_total", "Messages that became solid and durable."),
		evicted:       counter("tangled_node_orphans_evicted_total", "Orphans dropped because there were too many or they waited too long."),
		fetched:       counter("tangled_node_fetched_total", "Messages that peers sent on request."),
		overBudget:    counter("tangled_node_fetches_refused_total", "Requests for messages not answered because their peer asked too much."),
		anchors:       counter("tangled_node_anchors_total", "Anchors applied."),
		final:         counter("tangled_node_final_total", "Messages that became final."),
		equivocations: counter("tangled_node_equivocations_total", "Times that a seat was seen to write two witnesses for one round."),
		reissued:      counter("tangled_node_reissued_total", "Own messages issued again because no anchor included them in time."),
		snapshots:     counter("tangled_node_snapshots_total", "Snapshots written."),
		pruned:        counter("tangled_node_pruned_total", "Messages deleted because their time had come."),
		adopted:       counter("tangled_node_adopted_total", "Anchors taken over from a peer, signed by a quorum."),
		filled:        counter("tangled_node_filled_total", "Anchors of gaps that a peer had."),
		damaged:       counter("tangled_node_damaged_rows_total", "Times that a stored row could not be read."),
		staleKept:     counter("tangled_node_stale_kept_total", "Messages that came too late for any anchor, and that a permanode keeps."),
		diskFree:      gauge("tangled_node_disk_free_bytes", "Room on the disk of the store; zero where it is not known."),
		mended:        counter("tangled_node_mended_total", "Damaged messages fetched again from a peer."),
		held:          counter("tangled_node_held_total", "Times that clients had to wait because more came in than became final."),
		holding:       gauge("tangled_node_holding", "1 while clients have to wait."),
		commitSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "tangled_node_commit_seconds",
			Help:    "Time from attaching a group of messages to its being durable.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
		vertices:    gauge("tangled_node_vertices", "Messages of the live DAG in memory."),
		tips:        gauge("tangled_node_tips", "Solid messages without a child."),
		orphans:     gauge("tangled_node_orphans", "Messages that wait for parents."),
		orphanBytes: gauge("tangled_node_orphan_bytes", "Size of the messages that wait for parents."),
		pool:        gauge("tangled_node_tip_pool", "Tips that may be selected."),
	}
	if reg != nil {
		reg.MustRegister(m.invalid, m.outcomes, m.attached, m.evicted, m.fetched, m.overBudget, m.anchors, m.final, m.equivocations, m.reissued, m.snapshots, m.pruned, m.adopted, m.filled, m.damaged, m.mended, m.staleKept, m.diskFree, m.held, m.holding, m.commitSeconds,
			m.vertices, m.tips, m.orphans, m.orphanBytes, m.pool)
	}
	return m
}

func (m *metrics) observe(t tangle.Stats, s tipselect.Stats) {
	m.vertices.Set(float64(t.Vertices))
	m.tips.Set(float64(t.Tips))
	m.orphans.Set(float64(t.Orphans))
	m.orphanBytes.Set(float64(t.OrphanBytes))
	m.pool.Set(float64(s.Fresh + s.SemiLazy + s.Lazy))
}
