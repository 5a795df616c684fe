package gossip

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/crypto/blake2b"
)

// Queues of GossipSub. Its defaults (32 each) are for a few messages a second.
const (
	// judgeWorkers frames are judged at once: 2,048 messages, four full groups of
	// the store's commit.
	judgeWorkers = 32
	// validateQueue frames wait for a worker, about half a second at the node's
	// ceiling; what a peer sends beyond is dropped. It is counted in frames and not in
	// bytes, so its memory is bounded by the longest ones: 128 MiB.
	validateQueue = 256
	// peerQueue RPCs wait for one slow peer. The frames are shared between the
	// queues of all peers, so memory is bounded by what was published in the time.
	peerQueue = 512
	// maxRPC is the longest GossipSub RPC in bytes: a frame and its envelope, or many
	// small ones in answer to one request.
	maxRPC = 2 * MaxFrameSize
	// maxSubscriptions is how many topics a peer may name in an RPC; there is one.
	maxSubscriptions = 16
)

// Mesh degrees. With degrees above the number of neighbours a node keeps every
// neighbour in its mesh, whether it has one or eight: each frame crosses each
// link once, and no neighbour waits for gossip. Beyond 16 the mesh is thinned.
const (
	meshLow  = 8
	meshGoal = 12
	meshHigh = 16
	meshOut  = 2
)

// The heartbeat grafts new neighbours; at 4 neighbours it costs some microseconds.
// A frame can be asked for again for as long as with GossipSub's defaults.
const (
	heartbeat     = 200 * time.Millisecond
	historyLength = 25
	historyGossip = 15
)

// Score weights. One invalid frame takes a peer out of the mesh until it has
// decayed, two stop our gossip to it, four stop us from listening.
const (
	invalidWeight    = -10
	gossipBelow      = -20
	publishBelow     = -80
	graylistBelow    = -150
	invalidForgotten = 5 * time.Minute
)

// startPubSub joins the network's topic.
func (g *Gossip) startPubSub(ctx context.Context) error {
	topic := "/tangled/frames/1/" + hex.EncodeToString(g.opts.Network[:])
	ps, err := newPubSub(ctx, g.host, topic, pubsub.WithRawTracer(tracer{g}))
	if err != nil {
		return fmt.Errorf("gossipsub: %w", err)
	}
	// Inline, so that the bounded workers are what runs Judge. An asynchronous
	// validator has marked a frame as seen by the time it is throttled, and then
	// no second copy of it can get in; the queue before an inline one drops unseen
	// frames, which the next neighbour's copy replaces.
	if err := ps.RegisterTopicValidator(topic, pubsub.ValidatorEx(g.judge), pubsub.WithValidatorInline(true)); err != nil {
		return fmt.Errorf("gossipsub validator: %w", err)
	}
	if g.topic, err = ps.Join(topic); err != nil {
		return fmt.Errorf("gossipsub topic: %w", err)
	}
	// A relay is in the mesh like a subscriber and has no buffer to overflow: what
	// arrives was handed over by the validator already.
	if _, err := g.topic.Relay(); err != nil {
		return fmt.Errorf("gossipsub relay: %w", err)
	}
	return nil
}

func newPubSub(ctx context.Context, h host.Host, topic string, extra ...pubsub.Option) (*pubsub.PubSub, error) {
	params := pubsub.DefaultGossipSubParams()
	params.Dlo, params.D, params.Dhi, params.Dout, params.Dscore = meshLow, meshGoal, meshHigh, meshOut, meshLow
	params.HeartbeatInitialDelay = 0 // it would sleep on after Close
	// A new neighbour is grafted at the next heartbeat, and until then every frame
	// passes it by. What is remembered for IWANT is counted in heartbeats too.
	params.HeartbeatInterval = heartbeat
	params.HistoryLength, params.HistoryGossip = historyLength, historyGossip
	opts := []pubsub.Option{
		pubsub.WithGossipSubParams(params),
		pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
		pubsub.WithNoAuthor(),
		// Our own frames go to every neighbour that is in the topic, grafted or not.
		pubsub.WithFloodPublish(true),
		pubsub.WithMessageIdFn(frameID),
		pubsub.WithMaxMessageSize(maxRPC),
		pubsub.WithPeerOutboundQueueSize(peerQueue),
		pubsub.WithValidateQueueSize(validateQueue),
		pubsub.WithValidateWorkers(judgeWorkers),
		pubsub.WithSubscriptionFilter(pubsub.WrapLimitSubscriptionFilter(
			pubsub.NewAllowlistSubscriptionFilter(topic), maxSubscriptions)),
		pubsub.WithPeerScore(scoreParams(topic)),
	}
	return pubsub.NewGossipSub(ctx, h, append(opts, extra...)...)
}

// scoreParams count invalid frames (P4 of the GossipSub 1.1 specification) and
// nothing else. Delivery rates (P1 to P3) say nothing among listed peers, many
// of which share an address (P6), and broken promises (P7) come from full queues.
func scoreParams(topic string) (*pubsub.PeerScoreParams, *pubsub.PeerScoreThresholds) {
	return &pubsub.PeerScoreParams{
			SkipAtomicValidation: true,
			DecayInterval:        pubsub.DefaultDecayInterval,
			DecayToZero:          pubsub.DefaultDecayToZero,
			Topics: map[string]*pubsub.TopicScoreParams{topic: {
				SkipAtomicValidation: true,
				TopicWeight:          1,
				// A divisor even where P1 has no weight.
				TimeInMeshQuantum:              time.Second,
				InvalidMessageDeliveriesWeight: invalidWeight,
				InvalidMessageDeliveriesDecay:  pubsub.ScoreParameterDecay(invalidForgotten),
			}},
		}, &pubsub.PeerScoreThresholds{
			SkipAtomicValidation: true,
			GossipThreshold:      gossipBelow,
			PublishThreshold:     publishBelow,
			GraylistThreshold:    graylistBelow,
		}
}

// frameID names a frame by its content, so that one frame is one wherever it was
// met first.
func frameID(m *pb.Message) string {
	sum := blake2b.Sum256(m.GetData())
	return string(sum[:])
}

// judge is the validator: it decodes a frame and blocks while the node validates
// and commits what is in it.
func (g *Gossip) judge(ctx context.Context, from peer.ID, m *pubsub.Message) pubsub.ValidationResult {
	if from == g.host.ID() {
		return pubsub.ValidationAccept // the node has its own messages
	}
	if !g.work.enter() {
		g.metrics.drop(dropClosing, 1)
		return pubsub.ValidationIgnore
	}
	defer g.work.leave()
	messages, err := decodeFrame(m.GetData())
	var invalid *InvalidError
	if errors.As(err, &invalid) {
		g.charge(from, invalidFrame, invalid.Error())
		return pubsub.ValidationReject
	}
	g.metrics.messages.WithLabelValues("in").Add(float64(len(messages)))
	switch g.opts.Judge(ctx, from, messages) {
	case Accept:
		return pubsub.ValidationAccept
	case Reject:
		g.charge(from, invalidJudged, "a message in the frame")
		return pubsub.ValidationReject
	default:
		return pubsub.ValidationIgnore
	}
}
