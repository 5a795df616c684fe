package localnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
)

// ProcessOptions describe a Process. Path has no default.
type ProcessOptions struct {
	// Name is what errors call the process; Path by default.
	Name string
	// Path is the program, and Args are what comes behind its name.
	Path string
	Args []string
	// Log is a file that all lives append their standard error to; empty discards
	// it.
	Log string
}

// Process keeps a node in a process of its own. A life that Kill ends is followed
// by the next at once, with the same arguments and on the same data; one that ends
// by itself is not, and Err tells why. It is safe for concurrent use.
//
// The program says that it is ready by its first line on standard output. It ends
// with this process, whatever ends that, where the system can do so (Linux).
type Process struct {
	opts ProcessOptions
	done chan struct{} // closed when there will be no further life

	mu       sync.Mutex
	life     *life // the present or last one; never nil
	stopping bool
	err      error // why done is closed, if not because all was in order
}

// StartProcess starts the program and waits until it is ready. The caller stops
// the process.
func StartProcess(ctx context.Context, opts ProcessOptions) (*Process, error) {
	if opts.Name == "" {
		opts.Name = opts.Path
	}
	p := &Process{opts: opts, done: make(chan struct{}), life: newLife()}
	go p.keep()
	if _, err := p.Ready(ctx); err != nil {
		if stopped := p.Stop(ctx); stopped != err {
			err = errors.Join(err, stopped)
		}
		return nil, err
	}
	return p, nil
}

// keep lives one life after the other.
func (p *Process) keep() {
	// Linux takes the thread that started a child for its parent: this one has to
	// last as long as the children.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	for l := p.life; l != nil; {
		l = p.next(l, p.live(l))
	}
}

// live starts the program, unless there is no need any more, and waits for its
// end.
func (p *Process) live(l *life) error {
	cmd := exec.Command(p.opts.Path, p.opts.Args...)
	cmd.Stdout = l
	cmd.SysProcAttr = attributes()
	if p.opts.Log != "" {
		log, err := os.OpenFile(p.opts.Log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		defer log.Close()
		cmd.Stderr = log
	}
	if err := p.begin(l, cmd); err != nil || l.process == nil {
		return err
	}
	return cmd.Wait()
}

func (p *Process) begin(l *life, cmd *exec.Cmd) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopping {
		return nil
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	l.process = cmd.Process
	return nil
}

// next is the life that follows one that ended with err; nil for none.
func (p *Process) next(l *life, err error) *life {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer close(l.ended)
	switch {
	case l.killed && !p.stopping && wasKilled(err):
		p.life = newLife()
		return p.life
	case p.stopping && (err == nil || l.killed || !l.isReady()):
		// A program that has not come so far may not know yet what SIGINT asks of it.
	case p.stopping:
		p.err = fmt.Errorf("%s did not end in order: %w%s", p.opts.Name, err, p.lastWords())
	case err == nil:
		p.err = fmt.Errorf("%s ended by itself%s", p.opts.Name, p.lastWords())
	default:
		p.err = fmt.Errorf("%s ended by itself: %w%s", p.opts.Name, err, p.lastWords())
	}
	return nil
}

// Ready waits until the program is ready, after a Kill again, and returns its
// first line without the line break. It returns an error when ctx ends or there is
// no further life.
func (p *Process) Ready(ctx context.Context) (line []byte, err error) {
	for {
		l, ready := p.expect()
		select {
		case <-ready:
			return l.line, nil
		case <-l.ended:
		case <-ctx.Done():
			return nil, fmt.Errorf("%s is not ready: %w%s", p.opts.Name, ctx.Err(), p.lastWords())
		}
		if p.now() == l {
			<-p.done
			if err := p.Err(); err != nil {
				return nil, err
			}
			return nil, fmt.Errorf("%s is stopped", p.opts.Name)
		}
	}
}

// expect is the present life and what tells that it is ready: nothing, if it is
// about to end or has ended.
func (p *Process) expect() (l *life, ready <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.life.killed || p.life.hasEnded() {
		return p.life, nil
	}
	return p.life, p.life.ready
}

func (p *Process) now() *life {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.life
}

// Kill ends the program with SIGKILL, wherever it is, and has it started again. It
// returns false where there is nothing to kill: between two lives, and at the end.
func (p *Process) Kill() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.life
	if p.stopping || l.process == nil || l.killed || l.process.Kill() != nil {
		return false
	}
	l.killed = true
	return true
}

// Err is nil as long as the process lives, or was stopped in order.
func (p *Process) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// Stop asks the program to end, with SIGINT, and kills it when ctx ends before. It
// returns an error if it was not ended by that and in order. It may be called
// twice.
func (p *Process) Stop(ctx context.Context) error {
	p.interrupt()
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
	}
	p.mu.Lock()
	if p.life.process != nil {
		_ = p.life.process.Kill() // it may have ended this moment
	}
	p.mu.Unlock()
	<-p.done
	return p.err
}

// interrupt sends one signal only: a second one means something else.
func (p *Process) interrupt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopping {
		return
	}
	p.stopping = true
	if l := p.life; l.process != nil && l.process.Signal(os.Interrupt) != nil {
		_ = l.process.Kill() // a system without SIGINT, or it has ended
	}
}
