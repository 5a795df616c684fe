package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tangled/message"
)

const (
	// verifyQueue is how many batches wait for a verifier; then callers wait.
	verifyQueue = 1024
	// verifyBatch is from how many signatures on no more are added to those that
	// are checked at once: a batch of 64 costs half as much a signature as one
	// of 8, larger ones gain little.
	verifyBatch = 64
	// renewAfter is how long the work for a message may take before newer tips are
	// selected: who approves old ones helps nobody, and in the end is too late.
	renewAfter = time.Second
	// longBits is from how much work on it may take that long, at 10 ms on average
	// with the slowest kernel; with less the timer is spared.
	longBits = 16
)

// State is what became of a valid message.
type State uint8

// The states. Only Durable and Duplicate promise that the message is on disk.
const (
	// Durable: solid, on this node's disk, queued for gossip.
	Durable State = iota + 1
	// Duplicate: it was here already, durable.
	Duplicate
	// Orphan: its parents are being fetched; it is in memory only until then.
	Orphan
	// Held: its timestamp is 5 to 60 s ahead of this node's clock; it is in
	// memory until that has come near.
	Held
	// Ahead: its timestamp is further ahead, or too many are held: dropped.
	Ahead
	// Stale: older than the window; it can become part of the DAG no more.
	Stale
	// Surplus: a third witness of one seat for a round, which nothing refers to.
	Surplus
	// Behind: this node is catching up with the network and took nothing: dropped.
	Behind
)

func (s State) String() string {
	switch s {
	case Durable:
		return "durable"
	case Duplicate:
		return "duplicate"
	case Orphan:
		return "orphan"
	case Held:
		return "held"
	case Ahead:
		return "ahead"
	case Stale:
		return "stale"
	case Surplus:
		return "surplus"
	case Behind:
		return "behind"
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// Receipt tells what became of a message.
type Receipt struct {
	ID    message.ID
	State State
}

// batch is a group of messages on its way through the door. Whoever made it
// waits for done.
type batch struct {
	messages []*message.Message // nil where refused or known already
	receipts []Receipt          // State is zero where refused
	sender   string             // the peer that brought it, "" for our own clients, or self
	fetched  bool               // asked for by us, so never stale
	invalid  error              // why the first of those was refused that were
	done     chan struct{}

	single struct { // what the slices of a batch of one refer to
		message [1]*message.Message
		receipt [1]Receipt
	}
}

// self is the sender of what this node made itself.
const self = "self"

// fromPeer tells whether a sender is a peer.
func fromPeer(sender string) bool { return sender != "" && sender != self }

func newBatch(n int, sender string) *batch {
	b := &batch{sender: sender, done: make(chan struct{})}
	if n == 1 {
		b.messages, b.receipts = b.single.message[:], b.single.receipt[:]
	} else {
		b.messages, b.receipts = make([]*message.Message, n), make([]Receipt, n)
	}
	return b
}

// decode is the part of the judgement that looks at one message alone.
func (n *Node) decode(raw []byte) (*message.Message, error) {
	m, err := message.Decode(raw)
	if err != nil {
		return nil, err
	}
	return m, n.rules.Check(m)
}

// refuse counts an invalid message.
func (n *Node) refuse(err error) error {
	if invalid := new(message.InvalidError); errors.As(err, &invalid) {
		n.metrics.invalid.WithLabelValues(string(invalid.Reason)).Inc()
	}
	return err
}

// ready says whether the node takes data.
func (n *Node) ready() error {
	if n.diskLow.Load() {
		return ErrDiskLow
	}
	if n.catching.Load() {
		return ErrCatchingUp
	}
	return nil
}

// Submit takes in a message that a client encoded and signed. The error is a
// *message.InvalidError, ErrDiskLow, ErrOverloaded, ErrClosed or ctx's; what is nobody's fault
// is told by the receipt's State.
func (n *Node) Submit(ctx context.Context, raw []byte) (Receipt, error) {
	if err := n.brake.wait(ctx, n.done); err != nil {
		return Receipt{}, err
	}
	if n.leaving.Load() {
		return Receipt{}, ErrClosed
	}
	b := n.admit([][]byte{raw}, "")
	if err := n.judge(ctx, b); err != nil {
		return Receipt{}, err
	}
	return b.receipts[0], b.invalid
}

// admit does the part of the judgement that looks at one message alone.
func (n *Node) admit(raws [][]byte, sender string) *batch {
	b := newBatch(len(raws), sender)
	for i, raw := range raws {
		m, err := n.decode(raw)
		if err != nil {
			b.invalid = cmp.Or(b.invalid, n.refuse(err))
			continue
		}
		b.receipts[i].ID = m.ID()
		if n.recent.has(m.ID()) {
			b.receipts[i].State = Duplicate
			n.metrics.outcomes.WithLabelValues(Duplicate.String()).Inc()
			continue
		}
		b.messages[i] = m
	}
	return b
}

// judge sends what is left of b through the verifiers and the loop.
func (n *Node) judge(ctx context.Context, b *batch) error {
	if b.empty() {
		return nil
	}
	return n.send(ctx, n.verify, b)
}

func (b *batch) empty() bool {
	return !slices.ContainsFunc(b.messages, func(m *message.Message) bool { return m != nil })
}

// send queues b and waits until it was answered. Once queued, it is waited for
// whatever ctx says only as long as the caller likes; the message may still
// become durable.
func (n *Node) send(ctx context.Context, queue chan *batch, b *batch) error {
	if err := n.ready(); err != nil {
		return err
	}
	select {
	case queue <- b:
	case <-n.done:
		return n.closedErr()
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-b.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-n.done:
	}
	select {
	case <-b.done: // answered while the loop ended
		return nil
	default:
		return n.closedErr()
	}
}

// runVerifier checks signatures, those of all batches that are waiting at once:
// the more there is to do, the less each costs.
func (n *Node) runVerifier() {
	defer n.workers.Done()
	for {
		var group []*batch
		size := 0
		select {
		case b := <-n.verify:
			group, size = append(group, b), len(b.messages)
		case <-n.ctx.Done():
			return
		}
	more:
		for size < verifyBatch {
			select {
			case b := <-n.verify:
				group, size = append(group, b), size+len(b.messages)
			default:
				break more
			}
		}
		n.verifyGroup(group)
	}
}

// verifyGroup takes out of each batch what is badly signed, and hands on the
// rest.
func (n *Node) verifyGroup(group []*batch) {
	var messages []*message.Message
	for _, b := range group {
		for _, m := range b.messages {
			if m != nil {
				messages = append(messages, m)
			}
		}
	}
	errs := n.verifier.VerifyBatch(messages)
	at := 0
	for _, b := range group {
		for i, m := range b.messages {
			if m == nil {
				continue
			}
			if errs != nil && errs[at] != nil {
				b.messages[i] = nil
				b.invalid = cmp.Or(b.invalid, n.refuse(errs[at]))
			}
			at++
		}
		if b.empty() {
			close(b.done)
			continue
		}
		select {
		case n.intake <- b:
		case <-n.done:
			return // whoever waits sees done too
		}
	}
}

// submitMany takes in what a peer sent: all that is valid, whatever the rest
// is. It returns the receipts (zero State where refused) and the first reason
// to refuse one.
func (n *Node) submitMany(ctx context.Context, raws [][]byte, sender string, fetched bool) (receipts []Receipt, invalid, err error) {
	b := n.admit(raws, sender)
	b.fetched = fetched
	if err := n.judge(ctx, b); err != nil {
		// The verifiers may still be at work on b.
		return nil, nil, err
	}
	return b.receipts, b.invalid, nil
}

// Issue makes a message of a reading: it selects tips, signs with the node's
// key, does the work in the caller's goroutine, and returns when the message is
// durable here. The error is a *message.InvalidError for a reading that can
// never be taken, or ErrDiskLow, ErrOverloaded, ErrClosed, ctx's.
func (n *Node) Issue(ctx context.Context, d message.Data) (message.ID, error) {
	if strings.HasPrefix(d.Topic, reservedTopics) {
		return message.ID{}, n.refuse(&message.InvalidError{
			Reason: message.ReasonTopic, Err: fmt.Errorf("topics under %s are the seats' own", reservedTopics),
		})
	}
	if err := n.brake.wait(ctx, n.done); err != nil {
		return message.ID{}, err
	}
	return n.issueData(ctx, d)
}

func (n *Node) issueData(ctx context.Context, d message.Data) (message.ID, error) {
	if err := d.Validate(); err != nil {
		return message.ID{}, n.refuse(err)
	}
	return n.issuePayload(ctx, message.KindData, d.Append(nil))
}

func (n *Node) issuePayload(ctx context.Context, kind message.Kind, payload []byte) (message.ID, error) {
	draft := message.Draft{Network: n.rules.Network, Kind: kind, Payload: payload}
	renew := func() { draft.Parents, draft.Timestamp = n.selectParents(n.opts.Now()) }
	renew()
	return n.issue(ctx, &draft, renew)
}

// issue makes the message of a draft and waits until it is durable. Where the work
// takes long renew, if not nil, gives the draft newer tips to approve.
func (n *Node) issue(ctx context.Context, draft *message.Draft, renew func()) (message.ID, error) {
	if n.leaving.Load() {
		return message.ID{}, ErrClosed
	}
	if err := n.ready(); err != nil {
		return message.ID{}, err
	}
	m, err := n.seal(ctx, draft, renew)
	if err != nil {
		return message.ID{}, err
	}
	b := newBatch(1, self)
	b.messages[0], b.receipts[0].ID = m, m.ID()
	if err := n.send(ctx, n.intake, b); err != nil {
		return message.ID{}, err
	}
	switch state := b.receipts[0].State; state {
	case Durable:
		return m.ID(), nil
	case Behind:
		return message.ID{}, ErrCatchingUp
	default:
		return message.ID{}, fmt.Errorf("issue message %v: it is %v", m.ID(), state)
	}
}

// errTipsOld ends a search for a nonce; it begins anew with newer tips.
var errTipsOld = errors.New("the tips are old")

// seal signs a draft with the node's key and does its work, with newer tips every
// renewAfter. That costs nothing: a search is as far from its end as when it began.
func (n *Node) seal(ctx context.Context, draft *message.Draft, renew func()) (*message.Message, error) {
	for {
		m, err := draft.Sign(n.opts.Key)
		if err != nil {
			return nil, n.refuse(err)
		}
		err = n.work(ctx, m, renew != nil)
		if err == nil {
			return m, nil
		}
		if !errors.Is(err, errTipsOld) {
			return nil, fmt.Errorf("work for a message: %w", err)
		}
		renew()
	}
}

// work finds the nonce of m. The error is ctx's, or errTipsOld where m may be
// renewed.
func (n *Node) work(ctx context.Context, m *message.Message, renewable bool) error {
	bits := n.rules.Bits(m.Kind)
	if renewable && bits >= longBits {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, renewAfter, errTipsOld)
		defer cancel()
	}
	nonce, err := n.mine(ctx, m.ID().Hash(), bits)
	if err != nil {
		return cmp.Or(context.Cause(ctx), err)
	}
	m.SetNonce(nonce)
	return nil
}

// Prepared is what a client needs to make and sign a message itself.
type Prepared struct {
	Network message.NetworkID
	Parents []message.ID
	// Timestamp is the least that may be used, in nanoseconds since the Unix
	// epoch.
	Timestamp uint64
	// Bits is the least work of a data message.
	Bits int
}

// Prepare selects parents for a message that is signed elsewhere.
func (n *Node) Prepare() Prepared {
	parents, timestamp := n.selectParents(n.opts.Now())
	return Prepared{n.rules.Network, parents, timestamp, n.rules.DataBits}
}

// selectParents picks what to approve, ascending, and a timestamp.
func (n *Node) selectParents(now time.Time) ([]message.ID, uint64) {
	parents := n.tips.pick(now)
	slices.SortFunc(parents, message.ID.Compare)
	return parents, n.stamp(now, parents[len(parents)-1].Timestamp())
}

// stamp is a timestamp that is after another and after the one given before:
// two equal readings in one nanosecond would otherwise be one message.
func (n *Node) stamp(now time.Time, after uint64) uint64 {
	least := max(uint64(now.UnixNano()), after+1)
	for {
		// A clock that was set back by more than we may run ahead starts again
		// where it is.
		last := n.lastStamp.Load()
		stamp := least
		if last >= least && last-least < uint64(approveAhead) {
			stamp = last + 1
		}
		if n.lastStamp.CompareAndSwap(last, stamp) {
			return stamp
		}
	}
}
