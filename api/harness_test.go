package api

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/libp2p/go-libp2p"
	"github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/genesis"
	"tangled/gossip"
	"tangled/gossip/memnet"
	"tangled/internal/bubbletest"
	"tangled/message"
	"tangled/node"
)

// testDisk is a memory file system that can be nearly full or stop syncing.
type testDisk struct {
	vfs.FS
	free atomic.Uint64

	mu   sync.Mutex
	gate chan struct{} // syncs wait until it is closed; nil lets them pass
}

func newTestDisk() *testDisk {
	d := &testDisk{FS: vfs.NewMem()}
	d.free.Store(1 << 40)
	return d
}

func (d *testDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: d.free.Load()}, nil
}

// stall makes every sync wait until resume.
func (d *testDisk) stall() (resume func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	gate := make(chan struct{})
	d.gate = gate
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.gate = nil
		close(gate)
	}
}

func (d *testDisk) wait() {
	d.mu.Lock()
	gate := d.gate
	d.mu.Unlock()
	if gate != nil {
		<-gate
	}
}

func (d *testDisk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.Create(name, c)
	return testFile{f, d}, err
}

func (d *testDisk) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.ReuseForWrite(from, to, c)
	return testFile{f, d}, err
}

type testFile struct {
	vfs.File
	disk *testDisk
}

func (f testFile) Sync() error     { f.disk.wait(); return f.File.Sync() }
func (f testFile) SyncData() error { f.disk.wait(); return f.File.SyncData() }

// fixture is a node on a memory disk and network, its API, and a client.
type fixture struct {
	t        *testing.T
	disk     *testDisk
	net      *memnet.Network
	genesis  *genesis.Genesis
	node     *node.Node
	server   *Server
	listener *bufconn.Listener
	registry *prometheus.Registry
	log      *bytes.Buffer // errors logged by the API
	conn     *grpc.ClientConn
	messages tangledv1.MessagesServiceClient
	history  tangledv1.HistoryServiceClient
	nodes    tangledv1.NodeServiceClient
	ledger   tangledv1.LedgerServiceClient
	proofs   tangledv1.ProofsServiceClient
}

// bubble runs test on fake time. What the API logs at error level fails the
// test, unless the test has emptied the log.
func bubble(t *testing.T, opts Options, test func(t *testing.T, f *fixture)) {
	bubbleOn(t, testGenesis, opts, test)
}

// bubbleOn is bubble on another network.
func bubbleOn(t *testing.T, network func() *genesis.Genesis, opts Options, test func(t *testing.T, f *fixture)) {
	bubbletest.Run(t, func(t *testing.T) {
		f := newFixtureOn(t, network(), opts)
		test(t, f)
		if err := f.server.Close(t.Context()); err != nil {
			t.Errorf("Close: %v", err)
		}
		if f.log.Len() > 0 {
			t.Errorf("logged as our own fault: %s", f.log)
		}
	})
}

func newFixture(t *testing.T, opts Options) *fixture {
	t.Helper()
	return newFixtureOn(t, testGenesis(), opts)
}

func newFixtureOn(t *testing.T, g *genesis.Genesis, opts Options) *fixture {
	t.Helper()
	f := &fixture{
		t: t, disk: newTestDisk(), net: memnet.New(), log: new(bytes.Buffer), registry: prometheus.NewRegistry(),
		genesis:  g,
		listener: bufconn.Listen(64 << 10),
	}
	f.node = f.openNode(0, f.disk)
	opts.Listener, opts.Registerer = f.listener, f.registry
	opts.Logger = slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelError}))
	var err error
	if f.server, err = Open(t.Context(), f.node, opts); err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { f.server.Close(context.WithoutCancel(t.Context())) })
	f.conn = f.dial()
	f.messages = tangledv1.NewMessagesServiceClient(f.conn)
	f.history = tangledv1.NewHistoryServiceClient(f.conn)
	f.nodes = tangledv1.NewNodeServiceClient(f.conn)
	f.ledger = tangledv1.NewLedgerServiceClient(f.conn)
	f.proofs = tangledv1.NewProofsServiceClient(f.conn)
	return f
}

// testGenesis gives the only seat to the first node, so that things become final,
// and something to own to rich.
func testGenesis() *genesis.Genesis {
	return &genesis.Genesis{
		Name: "test", Start: time.Now(), Window: 10 * time.Minute, DataBits: 4, TransferBits: 3, MaxIncluded: 1000,
		Committee: []genesis.Seat{{Key: [32]byte(keyOf(0)[32:]), Weight: 1}},
		Balances:  []genesis.Balance{{Address: addressOf(rich), Amount: 1000}},
	}
}

// idleGenesis gives the only seat to nobody: nothing becomes final.
func idleGenesis() *genesis.Genesis {
	g := testGenesis()
	g.Committee[0].Key = [32]byte(keyOf(9)[32:])
	return g
}

// seatlessGenesis has no committee.
func seatlessGenesis() *genesis.Genesis {
	g := testGenesis()
	g.Committee = nil
	return g
}

func (f *fixture) openNode(i int, fs vfs.FS) *node.Node {
	f.t.Helper()
	addr := netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)})
	n, err := node.Open(f.t.Context(), node.Options{
		Dir: f.t.TempDir(), FS: fs, Genesis: f.genesis, Key: keyOf(i), Workers: 2, FirstStart: true,
		Gossip: gossip.Options{
			SwarmKey:   gossip.SwarmKey{1},
			Listen:     []multiaddr.Multiaddr{multiaddr.StringCast(fmt.Sprintf("/ip4/%v/tcp/4001", addr))},
			Transports: []libp2p.Option{f.net.Transport(addr)},
		},
	})
	if err != nil {
		f.t.Fatalf("open node %d: %v", i, err)
	}
	f.t.Cleanup(func() { n.Close() })
	return n
}

func (f *fixture) dial() *grpc.ClientConn {
	f.t.Helper()
	conn, err := grpc.NewClient("passthrough:///memory",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return f.listener.DialContext(ctx) }),
		// Where time stands still, round trips take none and windows would grow at
		// random.
		grpc.WithStaticStreamWindowSize(64<<10), grpc.WithStaticConnWindowSize(1<<20),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		f.t.Fatalf("dial: %v", err)
	}
	f.t.Cleanup(func() { conn.Close() })
	return conn
}

func keyOf(i int) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = byte(i + 1)
	return ed25519.NewKeyFromSeed(seed)
}

// rich and poor are numbers of keys.
const (
	rich = 20
	poor = 21
)

func addressOf(i int) message.Address { return message.AddressOf([32]byte(keyOf(i)[32:])) }

func reading(topic string, i int) *tangledv1.Data {
	return &tangledv1.Data{Topic: topic, ContentType: "application/json", Content: fmt.Appendf(nil, `{"n":%d}`, i)}
}

// submit makes a message durable and returns its ID.
func (f *fixture) submit(d *tangledv1.Data) message.ID {
	f.t.Helper()
	reply, err := f.messages.Submit(f.t.Context(), &tangledv1.SubmitRequest{Data: d})
	if err != nil {
		f.t.Fatalf("Submit: %v", err)
	}
	if s := reply.Receipt.State; s != tangledv1.State_STATE_DURABLE {
		f.t.Fatalf("submitted message is %v", s)
	}
	return message.ID(reply.Receipt.Id)
}

// fill makes n messages, straight at the node, on topics a/0/x to a/4/x.
func (f *fixture) fill(n, contentSize int) []message.ID {
	f.t.Helper()
	ids := make([]message.ID, n)
	for i := range ids {
		id, err := f.node.Issue(f.t.Context(), message.Data{
			Topic: fmt.Sprintf("a/%d/x", i%5), Content: make([]byte, contentSize),
		})
		if err != nil {
			f.t.Fatalf("Issue: %v", err)
		}
		ids[i] = id
	}
	return ids
}

// settle waits until everything submitted so far is final and provable.
func (f *fixture) settle() {
	f.t.Helper()
	for range 100 {
		time.Sleep(time.Second)
		if f.info().Waiting == 0 {
			time.Sleep(5 * time.Second) // the signatures come with later witnesses
			return
		}
	}
	f.t.Fatal("messages do not become final")
}

// wantError checks an error's code and the reason in its ErrorInfo.
func wantError(t *testing.T, what string, err error, code codes.Code, reason string) {
	t.Helper()
	st := status.Convert(err)
	got := ""
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && info.Domain == errorDomain {
			got = info.Reason
		}
	}
	if st.Code() != code || got != reason {
		t.Errorf("%s: error is %v %q, want %v %q: %v", what, st.Code(), got, code, reason, err)
	}
}

// collect reads a server stream to its end.
func collect[T any](t *testing.T, stream grpc.ServerStreamingClient[T], err error) ([]*T, error) {
	t.Helper()
	if err != nil {
		t.Fatalf("open stream: %v", err)
	}
	var all []*T
	for {
		m, err := stream.Recv()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, m)
	}
}
