package bench

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"

	"google.golang.org/grpc/status"

	"tangled/message"
	"tangled/node"
	"tangled/pow"
)

// door is one way into one node. Each of its slots has one reading under way at
// most, so that the slot tells the answers apart.
type door interface {
	// publish returns when the node has acknowledged the reading. It does not keep
	// content.
	publish(ctx context.Context, slot int, topic string, content []byte) error
	close() error
}

// contentType is that of every reading.
const contentType = "application/json"

// issueDoor is what a broker calls for a sensor: the node makes the message.
type issueDoor struct{ node *node.Node }

func (d issueDoor) publish(ctx context.Context, _ int, topic string, content []byte) error {
	_, err := d.node.Issue(ctx, message.Data{Topic: topic, ContentType: contentType, Content: content})
	return err
}

func (issueDoor) close() error { return nil }

// signDoor brings messages that were signed outside the node.
type signDoor struct {
	node  *node.Node
	miner *pow.Miner
	keys  []ed25519.PrivateKey
}

func newSignDoor(n *node.Node, issuers int) (*signDoor, error) {
	d := &signDoor{node: n, miner: pow.New(pow.Options{}), keys: make([]ed25519.PrivateKey, issuers)}
	for i := range d.keys {
		var err error
		if _, d.keys[i], err = ed25519.GenerateKey(nil); err != nil {
			return nil, fmt.Errorf("key of an issuer: %w", err)
		}
	}
	return d, nil
}

func (d *signDoor) publish(ctx context.Context, slot int, topic string, content []byte) error {
	p := d.node.Prepare()
	data := message.Data{Topic: topic, ContentType: contentType, Content: content}
	draft := message.Draft{
		Network: p.Network, Timestamp: p.Timestamp, Parents: p.Parents,
		Kind: message.KindData, Payload: data.Append(nil),
	}
	m, err := draft.Sign(d.keys[slot%len(d.keys)])
	if err != nil {
		return err
	}
	nonce, err := d.miner.Mine(ctx, m.ID().Hash(), p.Bits)
	if err != nil {
		return err
	}
	m.SetNonce(nonce)
	receipt, err := d.node.Submit(ctx, m.Bytes())
	if err != nil {
		return err
	}
	if receipt.State != node.Durable && receipt.State != node.Duplicate {
		return stateError(receipt.State)
	}
	return nil
}

func (*signDoor) close() error { return nil }

// stateError tells that a message was valid and not acknowledged.
type stateError node.State

func (e stateError) Error() string { return "the message is " + node.State(e).String() }

// reasonOf is a short name for why a reading was not acknowledged.
func reasonOf(err error) string {
	var invalid *message.InvalidError
	var state stateError
	var refused refusedError
	switch {
	case errors.Is(err, node.ErrOverloaded):
		return "overloaded"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return "unanswered"
	case errors.As(err, &invalid):
		return "invalid_" + string(invalid.Reason)
	case errors.As(err, &state):
		return node.State(state).String()
	case errors.As(err, &refused):
		return fmt.Sprintf("refused_%#02x", uint8(refused))
	case errors.Is(err, node.ErrDiskLow):
		return "disk_low"
	case errors.Is(err, node.ErrCatchingUp):
		return "catching_up"
	}
	if s, ok := status.FromError(err); ok {
		return "grpc_" + s.Code().String()
	}
	return "failed"
}
