package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// demo is a running demo.
type demo struct {
	opts        demoOptions
	city        *city
	load        *load
	propagation *propagation
	started     time.Time
}

// runDemo returns an error if a reading was lost or something did not work.
func runDemo(ctx context.Context, o demoOptions, out io.Writer, asJSON bool) (err error) {
	dir, remove, err := demoDir(o.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()

	c, err := startCity(ctx, o, dir)
	if err != nil {
		return fmt.Errorf("start the city: %w", err)
	}
	// After Ctrl-C the city still has to be read back and closed in order.
	defer func() { err = errors.Join(err, c.Close(context.WithoutCancel(ctx))) }()
	d := &demo{opts: o, city: c, propagation: newPropagation()}
	return d.run(ctx, newScreen(out, asJSON))
}

// run connects the sensors, lets them publish, and looks for every reading.
func (d *demo) run(ctx context.Context, screen *screen) (err error) {
	tidy := context.WithoutCancel(ctx)
	var watch sync.WaitGroup
	watchCtx, endWatch := context.WithCancel(tidy)
	defer watch.Wait()
	defer endWatch()
	if err := d.propagation.watch(watchCtx, d.city, &watch); err != nil {
		return err
	}
	if d.load, err = newLoad(ctx, d.opts, d.city.brokers()); err != nil {
		return fmt.Errorf("connect the sensors: %w", err)
	}
	defer d.load.close()
	if err := d.city.meet(ctx); err != nil {
		return err
	}
	history := d.city.permanode().history
	final := &finality{load: d.load, done: make(chan struct{})}
	watch.Go(func() { final.follow(watchCtx, history) })
	collectLess()
	screen.begin(d)
	stopErr := d.publish(ctx, screen)
	seconds := time.Since(d.started).Seconds()
	screen.settling()
	finalErr := final.wait(tidy)
	screen.auditing()
	f, err := d.examine(tidy)
	if err != nil {
		return errors.Join(err, finalErr, stopErr)
	}
	return errors.Join(screen.end(d.result(f, seconds)), finalErr, stopErr)
}

// demoGC is the demo's GOGC where the environment sets none.
const demoGC = 800

// collectLess trades memory for latency: a whole city and all its sensors share
// this process, and each collection of their one heap is seen by all of them.
func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(demoGC)
	}
	runtime.GC() // what starting up left behind
}

// demoDir makes the folder for the nodes' data.
func demoDir(dir string) (path string, remove func() error, err error) {
	if dir != "" {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return "", nil, usagef("data folder: %w", err)
		}
		return dir, func() error { return nil }, nil
	}
	if path, err = os.MkdirTemp("", "tangled-demo-"); err != nil {
		return "", nil, err
	}
	return path, func() error { return os.RemoveAll(path) }, nil
}

// publish lets the sensors publish for the duration or until ctx ends, and shows
// how it goes, while the city has its trouble. What does not work there ends it.
func (d *demo) publish(ctx context.Context, s *screen) (err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	d.started = time.Now()
	published := make(chan struct{})
	go func() {
		defer close(published)
		d.load.run(ctx, d.started, d.opts.duration)
	}()
	lines, trouble := d.trouble(ctx, published)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for published != nil || trouble != nil {
		select {
		case <-tick.C:
			s.show(d)
		case line := <-lines:
			s.note(d, line)
		case err = <-trouble:
			if trouble = nil; err != nil {
				stop()
			}
		case <-published:
			published = nil
		}
	}
	return err
}

// trouble begins what befalls the city, until the sensors have published. It tells
// of it in lines, and of its end once; that channel is nil where there is none.
func (d *demo) trouble(ctx context.Context, published <-chan struct{}) (lines <-chan string, ended <-chan error) {
	if d.city.trouble == nil {
		return nil, nil
	}
	told, end := make(chan string), make(chan error, 1)
	ctx, calm := context.WithCancel(ctx)
	go func() {
		defer calm()
		select {
		case <-published:
		case <-ctx.Done():
		}
	}()
	go func() {
		defer calm()
		end <- d.city.trouble(ctx, func(line string) {
			select {
			case told <- line:
			case <-ctx.Done():
			}
		})
	}()
	return told, end
}

// pause waits for d or for ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
