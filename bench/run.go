package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"
)

// progressEvery is how often Options.Progress is told.
const progressEvery = 250 * time.Millisecond

// Run measures one load on one new network.
func Run(ctx context.Context, o Options) (result Result, err error) {
	o.ensureDefaults()
	if err := o.validate(); err != nil {
		return Result{}, err
	}
	r, err := openRig(ctx, o)
	if err != nil {
		return Result{}, err
	}
	// After Ctrl-C the nodes still have to be closed in order.
	defer func() { err = errors.Join(err, r.close(context.WithoutCancel(ctx))) }()
	l := newLoad(o, 0, o.total())
	if err := r.connect(ctx, l, o.Sources, mqttClients); err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	l.setRate(o.Rate)
	r.at, r.loads = 1, 1
	used, err := r.expose(ctx, l)
	if err != nil {
		return Result{}, err
	}
	return r.result(l, used)
}

// connect gives a load its sources, in turn on every node, of MQTT over so many
// connections at most.
func (r *rig) connect(ctx context.Context, l *load, sources, clients int) error {
	topic := func(i int) string { return fmt.Sprintf("bench/device/site/%04d/air", i%r.opts.Topics) }
	var err error
	pprof.Do(ctx, labels(), func(ctx context.Context) {
		for i := range r.network.Members {
			here := share(sources, len(r.network.Members), i)
			slots := here
			switch r.opts.Via {
			case GRPC:
				slots = streamSlots
			case MQTT:
				clients := share(min(clients, sources), len(r.network.Members), i)
				slots = (here + max(clients, 1) - 1) / max(clients, 1)
			}
			for n := 0; here > 0; n, here = n+1, here-slots {
				slots = min(slots, here)
				var d door
				if d, err = r.door(ctx, i, fmt.Sprintf("bench-%d-%d-%d", l.first, i, n), slots); err != nil {
					return
				}
				l.doors = append(l.doors, d)
				l.add(d, slots, topic)
			}
		}
	})
	if err != nil {
		return errors.Join(fmt.Errorf("connect the sources: %w", err), l.close())
	}
	return nil
}

// share is the i-th of n nearly equal parts of a total.
func share(total, n, i int) int { return total*(i+1)/n - total*i/n }

// door is a way into the i-th node.
func (r *rig) door(ctx context.Context, i int, name string, slots int) (door, error) {
	switch m := r.network.Members[i]; {
	case r.opts.Via == GRPC:
		return newStreamDoor(ctx, m.API.Addr().String(), slots)
	case r.opts.Via == MQTT:
		return newMQTTDoor(ctx, m.MQTT.Addr().String(), name, slots)
	case r.opts.Issuers > 0:
		return newSignDoor(m.Node, r.opts.Issuers)
	default:
		return issueDoor{m.Node}, nil
	}
}

// expose puts the network under the load, measures meanwhile, waits until all is
// final and reads everything back.
func (r *rig) expose(ctx context.Context, l *load) (usage, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	l.start = time.Now()
	ended := make(chan struct{})
	all.Go(func() {
		defer close(ended)
		l.run(ctx)
	})
	all.Go(func() { r.report(ctx, l, ended) })
	q := &queries{rate: r.opts.Queries, topics: l.topics(), from: r.opts.Warmup}
	all.Go(func() { q.run(ctx, r.network.Members[0].Node, l) })
	used, err := r.meter(ctx, l)
	if err != nil {
		cancel()
	}
	all.Wait()
	if err != nil {
		return usage{}, err
	}
	if l.acked.Load() == 0 {
		return usage{}, fmt.Errorf("no reading was acknowledged: %w", cmp.Or(l.firstErr, ctx.Err()))
	}
	used.queries = q.result(r.opts.Duration)
	tell := func(phase string, waiting int) {
		r.tell(Progress{Phase: phase, Elapsed: l.until, Total: l.until, Waiting: waiting}, l)
	}
	if err := r.settle(ctx, func(waiting int) { tell("settle", waiting) }); err != nil {
		return usage{}, err
	}
	tell("read back", 0)
	return used, r.readBack(ctx, l)
}

// report tells of progress until the load has ended.
func (r *rig) report(ctx context.Context, l *load, ended <-chan struct{}) {
	if r.opts.Progress == nil {
		return
	}
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ended:
			return
		}
		p := Progress{Phase: "measure", Elapsed: min(time.Since(l.start), l.until), Total: l.until}
		if p.Elapsed < r.opts.Warmup {
			p.Phase = "warm-up"
		}
		if info, err := r.network.Members[0].Node.Info(ctx); err == nil {
			p.Waiting = info.Waiting
		}
		r.tell(p, l)
	}
}

func (r *rig) tell(p Progress, l *load) {
	if r.opts.Progress != nil {
		p.Step, p.Steps = r.at, r.loads
		p.Sent, p.Acknowledged = l.sent.Load(), l.acked.Load()
		r.opts.Progress(p)
	}
}

// usage is what the measured time cost.
type usage struct {
	cpu     time.Duration // of the process
	stages  map[string]time.Duration
	queries *QueryResult
}

// meter returns what is used from the end of the warm-up on.
func (r *rig) meter(ctx context.Context, l *load) (usage, error) {
	pause(ctx, time.Until(l.start.Add(r.opts.Warmup)))
	before := cpuTime()
	stop, err := record(r.opts.Profile)
	if err != nil {
		return usage{}, fmt.Errorf("measure CPU time: %w", err)
	}
	pause(ctx, time.Until(l.start.Add(l.until)))
	used := usage{cpu: cpuTime() - before}
	samples, err := stop()
	used.stages = byStage(samples)
	return used, cmp.Or(err, ctx.Err())
}

// result puts together what was measured.
func (r *rig) result(l *load, used usage) (Result, error) {
	o := l.within(r.opts.Warmup, l.until)
	seconds := r.opts.Duration.Seconds()
	result := Result{
		Durable: round3(float64(o.durable) / seconds),
		Final:   round3(float64(o.final) / seconds),
		Offered: round3(float64(o.offered) / seconds),
		Ack:     percentiles(o.ack), FinalAfter: percentiles(o.finalAfter),
		RSSPeak: peakRSS(), Gossip: r.traffic.sent.Load(), Lost: l.lost(),
		Nodes: r.opts.Nodes, Seats: r.seats(), MessageBytes: r.opts.Size, PowBits: r.opts.PowBits,
		Cores: runtime.GOMAXPROCS(0), Via: r.opts.Via, Query: used.queries, Timeline: l.timeline(),
	}
	result.divideCPU(used, o.durable)
	disk, err := r.sizeOnDisk()
	if err != nil {
		return Result{}, fmt.Errorf("size on disk: %w", err)
	}
	result.Disk = round3(float64(disk) / float64(r.opts.Nodes) / float64(l.acked.Load()))
	c, err := r.counts()
	if err != nil {
		return Result{}, fmt.Errorf("read the metrics: %w", err)
	}
	if bytes := c["tangled_storage_message_bytes_total"]; bytes > 0 {
		result.WriteAmplification = round3(float64(r.disk.Written()) / bytes)
	}
	result.Dropped = c.dropped()
	for reason, n := range l.failures {
		result.Dropped["reading_"+reason] += n
	}
	return result, nil
}

// divideCPU says what a durable reading cost. The profile says which share each
// stage has, the system how much it was in all.
func (result *Result) divideCPU(used usage, durable uint64) {
	profiled := time.Duration(0)
	for _, d := range used.stages {
		profiled += d
	}
	if durable == 0 || profiled == 0 {
		return
	}
	scale := 1.0
	if used.cpu > 0 {
		scale = float64(used.cpu) / float64(profiled)
	}
	result.CPUByStage = make(map[string]float64, len(used.stages))
	for _, stage := range Stages() {
		us := scale * float64(used.stages[stage]) / float64(time.Microsecond) / float64(durable)
		result.CPUByStage[stage] = round3(us)
		if stage == generatorStage {
			result.GeneratorCPU = round3(us)
		} else {
			result.CPU += us
		}
	}
	result.CPU = round3(result.CPU)
}
