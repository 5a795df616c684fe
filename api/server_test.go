package api

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/internal/bubbletest"
)

var errTest = errors.New("test")

func TestReflectionListsTheServices(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		stream, err := reflectionv1.NewServerReflectionClient(f.conn).ServerReflectionInfo(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		err = stream.Send(&reflectionv1.ServerReflectionRequest{
			MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{},
		})
		if err != nil {
			t.Fatal(err)
		}
		reply, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, s := range reply.GetListServicesResponse().GetService() {
			names = append(names, s.Name)
		}
		for _, want := range []string{"tangled.v1.MessagesService", "tangled.v1.HistoryService", "tangled.v1.NodeService", "tangled.v1.LedgerService", "tangled.v1.ProofsService", "grpc.health.v1.Health"} {
			if !slices.Contains(names, want) {
				t.Errorf("reflection lists %v, not %s", names, want)
			}
		}
		stream.CloseSend()
	})
}

func TestOversizedRequest(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		_, err := f.messages.SubmitSigned(t.Context(), &tangledv1.SubmitSignedRequest{Message: make([]byte, maxRequest)})
		wantError(t, "64 KiB and more", err, codes.ResourceExhausted, "")
	})
}

func TestCloseEndsEndlessStreamsAtOnce(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		tail := f.tail(t.Context(), &tangledv1.TailRequest{})
		follow := f.follow(t.Context(), &tangledv1.FollowRequest{})
		anchors, err := f.proofs.FollowAnchors(t.Context(), &tangledv1.FollowAnchorsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		submit := f.submitStream(t.Context())
		watch, err := healthv1.NewHealthClient(f.conn).Watch(t.Context(), &healthv1.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		bubbletest.Wait()
		start := time.Now()
		if err := f.server.Close(t.Context()); err != nil {
			t.Errorf("Close: %v", err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("Close took %v of idle streams", took)
		}
		_, err = tail.Recv()
		wantError(t, "tail", err, codes.Unavailable, "")
		_, err = collect(t, follow, nil)
		wantError(t, "follow", err, codes.Unavailable, "")
		_, err = collect(t, anchors, nil)
		wantError(t, "follow anchors", err, codes.Unavailable, "")
		_, err = submit.Recv()
		wantError(t, "submit stream", err, codes.Unavailable, "")
		for err = nil; err == nil; {
			_, err = watch.Recv()
		}
		wantError(t, "watch", err, codes.Unavailable, "")
		select {
		case <-f.server.Done():
		default:
			t.Error("Done is open after Close")
		}
		if err := f.server.Close(t.Context()); err != nil {
			t.Errorf("second Close: %v", err)
		}
	})
}

// submitInBackground submits on a stalled disk.
func (f *fixture) submitInBackground() <-chan error {
	answer := make(chan error, 1)
	go func() {
		_, err := f.messages.Submit(f.t.Context(), &tangledv1.SubmitRequest{Data: reading("a", 1)})
		answer <- err
	}()
	bubbletest.Wait()
	return answer
}

func TestCloseWaitsForCalls(t *testing.T) {
	bubble(t, Options{Drain: 5 * time.Second}, func(t *testing.T, f *fixture) {
		resume := f.disk.stall()
		answer := f.submitInBackground()
		stream := f.submitStream(t.Context())
		if err := stream.Send(&tangledv1.SubmitStreamRequest{Seq: 5, Data: reading("a", 2)}); err != nil {
			t.Fatal(err)
		}
		bubbletest.Wait()
		time.AfterFunc(4*time.Second, resume)
		start := time.Now()
		f.server.Close(t.Context())
		if took := time.Since(start); took != 4*time.Second {
			t.Errorf("Close took %v, want the 4s that the call took", took)
		}
		if err := <-answer; err != nil {
			t.Errorf("the call in work ended with %v", err)
		}
		if reply, err := stream.Recv(); err != nil || reply.Seq != 5 || reply.GetReceipt() == nil {
			t.Errorf("the reading in work was answered %v, %v", reply, err)
		}
		_, err := stream.Recv()
		wantError(t, "then", err, codes.Unavailable, "")
	})
}

// closeDuring closes the server while a stream is at work.
func (f *fixture) closeDuring() (closed <-chan struct{}) {
	done := make(chan struct{})
	bubbletest.Wait()
	go func() {
		defer close(done)
		f.server.Close(f.t.Context())
	}()
	bubbletest.Wait()
	return done
}

// A stream that has an end comes to it. See TestAccountHistoryInPieces for the other.
func TestCloseWaitsForPages(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		ids := f.fill(80, 30_000) // more than is read from the store at once
		query, err := f.history.Query(t.Context(), &tangledv1.QueryRequest{})
		if err != nil {
			t.Fatal(err)
		}
		closed := f.closeDuring()
		if page, err := collect(t, query, nil); err != nil || len(page) != len(ids) {
			t.Errorf("query: %d messages, %v; want %d", len(page), err, len(ids))
		}
		<-closed
	})
}

func TestCloseCutsOffWhatDoesNotEnd(t *testing.T) {
	for name, limit := range map[string]time.Duration{"drain": 5 * time.Second, "context": 2 * time.Second} {
		bubble(t, Options{Drain: 5 * time.Second}, func(t *testing.T, f *fixture) {
			resume := f.disk.stall()
			defer func() { resume(); bubbletest.Wait() }()
			answer := f.submitInBackground()
			ctx := t.Context()
			if name == "context" {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, limit)
				defer cancel()
			}
			start := time.Now()
			f.server.Close(ctx)
			if took := time.Since(start); took != limit {
				t.Errorf("%s: Close took %v, want %v", name, took, limit)
			}
			if err := <-answer; err == nil {
				t.Errorf("%s: the call ended well", name)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		for name, opts := range map[string]Options{
			"timeout": {Timeout: -1}, "drain": {Drain: -1}, "conns": {MaxConns: -1}, "streams": {MaxStreams: -1},
		} {
			if s, err := Open(t.Context(), f.node, opts); err == nil {
				s.Close(t.Context())
				t.Errorf("negative %s is taken", name)
			}
		}
	})
}

func TestListenerThatFails(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		f := newFixture(t, Options{})
		f.listener.Close()
		<-f.server.Done()
		if f.log.Len() == 0 {
			t.Error("nothing was logged")
		}
		if err := f.server.Close(t.Context()); err == nil {
			t.Error("Close does not tell what ended serving")
		}
	})
}

func TestMaxConns(t *testing.T) {
	bubble(t, Options{MaxConns: 1}, func(t *testing.T, f *fixture) {
		f.info()
		second := tangledv1.NewNodeServiceClient(f.dial())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := second.Info(ctx, &tangledv1.InfoRequest{}, grpc.WaitForReady(true))
		wantError(t, "second connection", err, codes.DeadlineExceeded, "")
		f.conn.Close()
		if _, err := second.Info(t.Context(), &tangledv1.InfoRequest{}, grpc.WaitForReady(true)); err != nil {
			t.Errorf("after the first connection closed: %v", err)
		}
	})
}

// Whoever has a connection and does not use it makes room for those who wait.
func TestIdleConnectionsAreClosed(t *testing.T) {
	bubble(t, Options{MaxConns: 1}, func(t *testing.T, f *fixture) {
		f.info()
		start := time.Now()
		second := tangledv1.NewNodeServiceClient(f.dial())
		if _, err := second.Info(t.Context(), &tangledv1.InfoRequest{}, grpc.WaitForReady(true)); err != nil {
			t.Fatalf("second connection: %v", err)
		}
		if took := time.Since(start); took != idleTimeout {
			t.Errorf("the first connection was closed after %v, want %v", took, idleTimeout)
		}
		// The first client connects again when it has to.
		time.Sleep(2 * idleTimeout)
		f.info()
	})
}

func TestAConnectionWithAStreamIsNotIdle(t *testing.T) {
	bubble(t, Options{MaxConns: 1}, func(t *testing.T, f *fixture) {
		stream := f.tail(t.Context(), &tangledv1.TailRequest{})
		time.Sleep(10 * idleTimeout)
		f.submit(reading("a", 1))
		if _, err := stream.Recv(); err != nil {
			t.Errorf("Recv: %v", err)
		}
	})
}

func TestSilentConnectionsAreClosed(t *testing.T) {
	tests := []struct {
		name  string
		hello string
		after time.Duration
	}{
		{"no handshake", "", handshakeTimeout},
		// The preface of HTTP/2 and an empty SETTINGS frame (RFC 9113, section 3.4).
		{"no answer to pings", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", pingEvery + pingTimeout},
	}
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		for _, test := range tests {
			conn, err := f.listener.DialContext(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			if _, err := conn.Write([]byte(test.hello)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, conn); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took != test.after {
				t.Errorf("%s: closed after %v, want %v", test.name, took, test.after)
			}
			conn.Close()
		}
	})
}

// A real socket: the port in use, the default address, TLS with client
// certificates.
func TestListen(t *testing.T) {
	f := newFixture(t, Options{})
	s, err := Open(t.Context(), f.node, Options{})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer s.Close(t.Context())
	if addr := s.Addr().(*net.TCPAddr); !addr.IP.IsLoopback() || addr.Port == 0 {
		t.Errorf("the default address is %v", addr)
	}
	_, err = Open(t.Context(), f.node, Options{Listen: s.Addr().String()})
	listenErr := new(ListenError)
	if !errors.As(err, &listenErr) || listenErr.Addr != s.Addr().String() || !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("port in use: %v", err)
	}
}

// A process may open one server after another with one registerer.
func TestMetricsAreGivenBack(t *testing.T) {
	f := newFixture(t, Options{})
	if s, err := Open(t.Context(), f.node, Options{Registerer: f.registry}); err == nil {
		s.Close(t.Context())
		t.Fatal("two servers share their metrics")
	}
	if err := f.server.Close(t.Context()); err != nil {
		t.Fatalf("Close: %v", err)
	}
	s, err := Open(t.Context(), f.node, Options{})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer s.Close(t.Context())
	for range 2 { // what could not listen leaves nothing behind
		_, err = Open(t.Context(), f.node, Options{Listen: s.Addr().String(), Registerer: f.registry})
		if !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatalf("port in use: %v", err)
		}
	}
	again, err := Open(t.Context(), f.node, Options{Registerer: f.registry})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	if err := again.Close(t.Context()); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestTLSAsksForACertificate(t *testing.T) {
	f := newFixture(t, Options{})
	cert, pool := certificate(t)
	s, err := Open(t.Context(), f.node, Options{TLS: &tls.Config{
		Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
	}})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer s.Close(t.Context())
	info := func(config *tls.Config) error {
		conn, err := grpc.NewClient("passthrough:///"+s.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(config)))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, err = tangledv1.NewNodeServiceClient(conn).Info(t.Context(), &tangledv1.InfoRequest{})
		return err
	}
	if err := info(&tls.Config{RootCAs: pool, ServerName: "localhost", Certificates: []tls.Certificate{cert}}); err != nil {
		t.Errorf("with a certificate: %v", err)
	}
	wantError(t, "without a certificate", info(&tls.Config{RootCAs: pool, ServerName: "localhost"}), codes.Unavailable, "")
}

// certificate signs itself and is good for both sides.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}
