package memnet

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"tangled/internal/bubbletest"
)

func testAddr(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}) }

// connect returns the two ends of a connection from address 1 to address 2.
func connect(t *testing.T, n *Network) (near, far net.Conn) {
	t.Helper()
	l, err := n.listen(netip.AddrPortFrom(testAddr(2), 0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	near, err = n.dial(testAddr(1), l.at)
	if err != nil {
		t.Fatal(err)
	}
	far, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

func TestBytesArriveInOrder(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		near, far := connect(t, New())
		sent := make([]byte, 3*pipeSize+17) // more than fits: the writer must wait
		for i := range sent {
			sent[i] = byte(i * 31)
		}
		go func() {
			near.Write(sent)
			near.Close()
		}()
		got, err := io.ReadAll(far)
		if err != nil || !bytes.Equal(got, sent) {
			t.Errorf("%d of %d bytes, %v", len(got), len(sent), err)
		}
	})
}

func TestLatency(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := New()
		n.SetLatency(30 * time.Millisecond)
		near, far := connect(t, n)
		start := time.Now()
		near.Write([]byte("x"))
		if _, err := far.Read(make([]byte, 1)); err != nil || time.Since(start) != 30*time.Millisecond {
			t.Errorf("after %s, %v; want 30ms", time.Since(start), err)
		}
	})
}

func TestDeadlines(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		near, far := connect(t, New())
		near.SetReadDeadline(time.Now().Add(time.Second))
		start := time.Now()
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("read: %v after %s", err, time.Since(start))
		}
		near.SetWriteDeadline(time.Now().Add(time.Second))
		if n, err := near.Write(make([]byte, 2*pipeSize)); !errors.Is(err, os.ErrDeadlineExceeded) || n != pipeSize {
			t.Errorf("write: %d bytes, %v", n, err)
		}
		// A deadline set while waiting counts, and one taken away does not.
		near.SetReadDeadline(time.Time{})
		go func() {
			time.Sleep(time.Second)
			near.SetReadDeadline(time.Now())
		}()
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
		near.SetDeadline(time.Time{})
		go far.Write([]byte("x"))
		if _, err := near.Read(make([]byte, 1)); err != nil {
			t.Errorf("after the deadline was taken away: %v", err)
		}
	})
}

func TestClose(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := New()
		near, far := connect(t, n)
		far.Write([]byte("last"))
		far.Close()
		if got, err := io.ReadAll(near); string(got) != "last" || err != nil {
			t.Errorf("read %q, %v; want what was on its way", got, err)
		}
		if _, err := near.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("write to a closed end: %v", err)
		}
		near.Close()
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read from a closed one: %v", err)
		}
		if err := near.Close(); err != nil {
			t.Errorf("second close: %v", err)
		}
		if len(n.links) != 0 {
			t.Errorf("%d links after both ends closed", len(n.links))
		}
	})
}

func TestCut(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := New()
		near, far := connect(t, n)
		result := make(chan error)
		go func() {
			_, err := far.Read(make([]byte, 1))
			result <- err
		}()
		bubbletest.Wait()
		if cut := n.Cut(testAddr(2), testAddr(1)); cut != 1 {
			t.Errorf("%d cut, want 1", cut)
		}
		if err := <-result; !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("a waiting reader got %v", err)
		}
		if _, err := near.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("a writer got %v", err)
		}
	})
}

func TestPartition(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := New()
		near, _ := connect(t, n)
		n.Partition([]netip.Addr{testAddr(1)}, []netip.Addr{testAddr(2), testAddr(3)})
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("a connection across: %v", err)
		}
		l, err := n.listen(netip.AddrPortFrom(testAddr(2), 4001))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if _, err := n.dial(testAddr(1), l.at); !errors.Is(err, syscall.EHOSTUNREACH) {
			t.Errorf("dial across: %v", err)
		}
		if _, err := n.dial(testAddr(4), l.at); !errors.Is(err, syscall.EHOSTUNREACH) {
			t.Errorf("dial from outside the groups: %v", err)
		}
		within, err := n.dial(testAddr(3), l.at)
		if err != nil {
			t.Errorf("dial within: %v", err)
		}
		n.Heal()
		if _, err := n.dial(testAddr(1), l.at); err != nil {
			t.Errorf("dial after healing: %v", err)
		}
		within.Close()
	})
}

func TestListen(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := New()
		at := netip.AddrPortFrom(testAddr(1), 4001)
		if _, err := n.dial(testAddr(2), at); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("nobody listens: %v", err)
		}
		l, err := n.listen(at)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.listen(at); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("taken: %v", err)
		}
		for range backlog {
			if _, err := n.dial(testAddr(2), at); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := n.dial(testAddr(2), at); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("full backlog: %v", err)
		}
		l.Close()
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("accept on a closed one: %v", err)
		}
		if l, err = n.listen(at); err != nil {
			t.Fatalf("after close: %v", err)
		}
		l.Close()
	})
}
