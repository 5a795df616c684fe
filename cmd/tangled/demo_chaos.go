package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"tangled/internal/localnet"
)

// chaos kills a random one of the processes, those of c's nodes, again and again
// until ctx ends. It returns an error when one has ended by itself.
func (c *city) chaos(ctx context.Context, processes []*localnet.Process, every time.Duration, tell func(string)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	start := time.Now()
	var back sync.WaitGroup
	defer back.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if ctx.Err() != nil {
			return nil // both at once: it is over
		}
		i, err := killOne(processes)
		if err != nil {
			return err
		}
		if i < 0 {
			continue // all are between two lives
		}
		killed := time.Now()
		n, kill := c.nodes[i], c.kills.Add(1)
		tell(fmt.Sprintf("%v: kill %d, %s (%s)", killed.Sub(start).Round(time.Second), kill, n.name, n.role))
		back.Go(func() {
			if _, err := processes[i].Ready(ctx); err == nil {
				c.restarts.add(time.Since(killed))
			}
		})
	}
}

// killOne kills a random process, wherever it is in what it does, and returns its
// number, or -1 if none can be killed.
func killOne(processes []*localnet.Process) (int, error) {
	for _, p := range processes {
		if err := p.Err(); err != nil {
			return -1, err
		}
	}
	for _, i := range rand.Perm(len(processes)) {
		if processes[i].Kill() {
			return i, nil
		}
	}
	return -1, nil
}
