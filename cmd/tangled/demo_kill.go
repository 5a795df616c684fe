package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tangled/internal/localnet"
	"tangled/message"
	"tangled/node"
	"tangled/storage"
)

const (
	// leavePatience is how long a node waits, before it goes, for what it issued
	// to become final.
	leavePatience = 10 * time.Second
	// leaveReach is how far back a node looks for that. A committee that needs
	// longer is not there, and waiting would not help.
	leaveReach = 20 * time.Second
)

// lastSeat is the number of the last member with a seat: not of the first, which
// has the chord of the ring.
func lastSeat(n *localnet.Network) int { return len(n.Genesis.Committee) - 1 }

// stopInOrder stops a member so that nothing it acknowledged goes with it.
func stopInOrder(ctx context.Context, m *localnet.Member) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	err := m.MQTT.Close(ctx)
	err = errors.Join(err, leave(ctx, m.Node), m.Stop(ctx))
	if err != nil {
		return fmt.Errorf("stop %s: %w", m.Name, err)
	}
	return nil
}

// leave waits until what the node issued lately is final, and so with a quorum of
// the seats. Durable and queued for gossip is not yet with anybody else: a node
// that closed then would keep it to itself until it is back. It gives up after
// leavePatience, since the node keeps it in any case.
func leave(ctx context.Context, n *node.Node) error {
	ctx, cancel := context.WithTimeout(ctx, leavePatience)
	defer cancel()
	info, err := n.Info(ctx)
	if err != nil {
		return err
	}
	open, err := unsettled(ctx, n, storage.Query{
		Issuer: &info.Issuer, From: uint64(time.Now().Add(-leaveReach).UnixNano()), WithFinal: true,
	})
	if err != nil {
		return err
	}
	for _, id := range open {
		_, err := n.WaitFinal(ctx, id)
		if errors.Is(err, context.DeadlineExceeded) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("wait for what was issued to become final: %w", err)
		}
	}
	return nil
}

// unsettled lists what q selects and is not final.
func unsettled(ctx context.Context, n *node.Node, q storage.Query) (ids []message.ID, err error) {
	for r, err := range n.Query(ctx, q) {
		if err != nil {
			return nil, err
		}
		if r.Final == nil && r.Message.Kind != message.KindWitness {
			ids = append(ids, r.Message.ID())
		}
	}
	return ids, nil
}
