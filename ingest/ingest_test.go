package ingest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"tangled/message"
)

// patience bounds a wait for something that must come. It is no measurement.
const patience = 20 * time.Second

// heldIssuer hands each reading to the test, which decides when it is durable.
type heldIssuer struct{ calls chan *heldCall }

type heldCall struct {
	data  message.Data
	reply chan error
}

func newHeldIssuer() *heldIssuer { return &heldIssuer{calls: make(chan *heldCall, 1<<14)} }

func (h *heldIssuer) Issue(ctx context.Context, d message.Data) (message.ID, error) {
	c := &heldCall{d, make(chan error, 1)}
	h.calls <- c
	select {
	case err := <-c.reply:
		return message.ID{}, err
	case <-ctx.Done():
		return message.ID{}, ctx.Err()
	}
}

func (h *heldIssuer) next(t testing.TB) *heldCall {
	t.Helper()
	select {
	case c := <-h.calls:
		return c
	case <-time.After(patience):
		t.Fatal("no reading was issued")
		return nil
	}
}

// take returns the next n readings by content: those of one client that are
// under way together arrive in any order.
func (h *heldIssuer) take(t testing.TB, n int) map[string]*heldCall {
	t.Helper()
	m := make(map[string]*heldCall)
	for range n {
		c := h.next(t)
		m[string(c.data.Content)] = c
	}
	return m
}

func (h *heldIssuer) none(t testing.TB) {
	t.Helper()
	select {
	case c := <-h.calls:
		t.Fatalf("reading %q on %q was issued", c.data.Content, c.data.Topic)
	default:
	}
}

// instantIssuer finds everything durable at once.
type instantIssuer struct {
	mu   sync.Mutex
	data []message.Data
}

func (i *instantIssuer) Issue(_ context.Context, d message.Data) (message.ID, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.data = append(i.data, d)
	return message.ID{}, nil
}

func (i *instantIssuer) issued() []message.Data {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]message.Data(nil), i.data...)
}

// issuerFunc is an Issuer in one function.
type issuerFunc func(context.Context, message.Data) (message.ID, error)

func (f issuerFunc) Issue(ctx context.Context, d message.Data) (message.ID, error) { return f(ctx, d) }

// pipeListener is a network of net.Pipe, for bubbles with fake time. Its
// clients come from loopback.
type pipeListener struct {
	conns  chan net.Conn
	errs   chan error
	closed chan struct{}
	once   sync.Once
}

type pipeConn struct {
	net.Conn
	remote net.Addr
}

func (c pipeConn) RemoteAddr() net.Addr { return c.remote }

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), errs: make(chan error), closed: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case err := <-l.errs:
		return nil, err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1883} }

func (l *pipeListener) dialFrom(ip string) net.Conn {
	ours, theirs := net.Pipe()
	l.conns <- pipeConn{theirs, &net.TCPAddr{IP: net.ParseIP(ip), Port: 40000}}
	return ours
}

func startPipe(t testing.TB, o Options) (*Broker, *pipeListener) {
	t.Helper()
	o.EnsureDefaults()
	l := newPipeListener()
	b, err := serve(t.Context(), l, o)
	if err != nil {
		t.Fatal(err)
	}
	return b, l
}

func start(t testing.TB, o Options) *Broker {
	t.Helper()
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	b, err := Listen(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeBroker(t, b) })
	return b
}

// closeBroker abandons what a test left under way.
func closeBroker(t testing.TB, b *Broker) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	cancel()
	if err := b.Close(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// peer is the client's end of a connection, byte by byte.
type peer struct {
	t       testing.TB
	nc      net.Conn
	r       *bufio.Reader
	version byte
}

func newPeer(t testing.TB, nc net.Conn, version byte) *peer {
	t.Helper()
	t.Cleanup(func() { nc.Close() })
	return &peer{t: t, nc: nc, r: bufio.NewReader(nc), version: version}
}

func dial(t testing.TB, b *Broker, version byte) *peer {
	t.Helper()
	nc, err := net.Dial("tcp", b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return newPeer(t, nc, version)
}

// connectPacket is a CONNECT that keeps its session for an hour unless clean.
func connectPacket(id string, version byte, clean bool) packets.Packet {
	pk := packets.Packet{
		FixedHeader:     packets.FixedHeader{Type: packets.Connect},
		ProtocolVersion: version,
		Connect:         packets.ConnectParams{ProtocolName: []byte("MQTT"), ClientIdentifier: id, Clean: clean, Keepalive: 60},
	}
	if version == 5 && !clean {
		pk.Properties.SessionExpiryInterval, pk.Properties.SessionExpiryIntervalFlag = 3600, true
	}
	return pk
}

// connect opens a session and returns its end of the connection.
func connect(t testing.TB, b *Broker, id string, version byte, clean bool) *peer {
	t.Helper()
	p := dial(t, b, version)
	p.send(connectPacket(id, version, clean))
	if ack := p.expect(packets.Connack); ack.ReasonCode != 0 {
		t.Fatalf("CONNACK %#02x", ack.ReasonCode)
	}
	return p
}

func encode(t testing.TB, pk packets.Packet, version byte) []byte {
	t.Helper()
	pk.Mods.AllowResponseInfo = true
	if pk.FixedHeader.Type != packets.Connect {
		pk.ProtocolVersion = version
	}
	var buf bytes.Buffer
	var err error
	switch pk.FixedHeader.Type {
	case packets.Connect:
		err = pk.ConnectEncode(&buf)
	case packets.Publish:
		err = pk.PublishEncode(&buf)
	case packets.Puback:
		err = pk.PubackEncode(&buf)
	case packets.Pubrec:
		err = pk.PubrecEncode(&buf)
	case packets.Pubrel:
		pk.FixedHeader.Qos = 1
		err = pk.PubrelEncode(&buf)
	case packets.Pubcomp:
		err = pk.PubcompEncode(&buf)
	case packets.Subscribe:
		pk.FixedHeader.Qos = 1
		err = pk.SubscribeEncode(&buf)
	case packets.Pingreq:
		err = pk.PingreqEncode(&buf)
	case packets.Disconnect:
		err = pk.DisconnectEncode(&buf)
	default:
		t.Fatalf("cannot encode type %d", pk.FixedHeader.Type)
	}
	if err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func (p *peer) send(pk packets.Packet) { p.t.Helper(); p.write(encode(p.t, pk, p.version)) }

func (p *peer) write(b []byte) {
	p.t.Helper()
	if _, err := p.nc.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

func publish(topic, content string, qos byte, id uint16, dup bool) packets.Packet {
	return packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: qos, Dup: dup},
		TopicName:   topic, Payload: []byte(content), PacketID: id,
	}
}

func (p *peer) publish(topic, content string, qos byte, id uint16, dup bool) {
	p.t.Helper()
	p.send(publish(topic, content, qos, id, dup))
}

func (p *peer) subscribe(id uint16, qos byte, filters ...string) []byte {
	p.t.Helper()
	pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Subscribe}, PacketID: id}
	for _, f := range filters {
		pk.Filters = append(pk.Filters, packets.Subscription{Filter: f, Qos: qos})
	}
	p.send(pk)
	ack := p.expect(packets.Suback)
	if ack.PacketID != id {
		p.t.Fatalf("SUBACK of %d, want %d", ack.PacketID, id)
	}
	return ack.ReasonCodes
}

// read returns the next packet and its body.
func (p *peer) read() (packets.Packet, []byte, error) {
	_ = p.nc.SetReadDeadline(time.Now().Add(patience))
	first, err := p.r.ReadByte()
	if err != nil {
		return packets.Packet{}, nil, err
	}
	pk := packets.Packet{ProtocolVersion: p.version}
	if err := pk.FixedHeader.Decode(first); err != nil {
		return pk, nil, err
	}
	n, err := binary.ReadUvarint(p.r) // the same encoding as MQTT's variable byte integer
	if err != nil {
		return pk, nil, err
	}
	pk.FixedHeader.Remaining = int(n)
	body := make([]byte, n)
	if _, err := io.ReadFull(p.r, body); err != nil {
		return pk, nil, err
	}
	switch pk.FixedHeader.Type {
	case packets.Connack:
		err = pk.ConnackDecode(body)
	case packets.Publish:
		err = pk.PublishDecode(body)
	case packets.Puback, packets.Pubrec, packets.Pubrel, packets.Pubcomp:
		err = pk.PubackDecode(body)
	case packets.Suback:
		err = pk.SubackDecode(body)
	case packets.Disconnect:
		err = pk.DisconnectDecode(body)
	}
	return pk, body, err
}

func (p *peer) expect(kind byte) packets.Packet {
	p.t.Helper()
	pk, _, err := p.read()
	if err != nil {
		p.t.Fatalf("waiting for %s: %v", packets.PacketNames[kind], err)
	}
	if pk.FixedHeader.Type != kind {
		p.t.Fatalf("got %s %#02x, want %s", packets.PacketNames[pk.FixedHeader.Type], pk.ReasonCode, packets.PacketNames[kind])
	}
	return pk
}

func (p *peer) expectAck(kind byte, id uint16, code byte) {
	p.t.Helper()
	if pk := p.expect(kind); pk.PacketID != id || pk.ReasonCode != code {
		p.t.Fatalf("%s of %d with %#02x, want %d with %#02x", packets.PacketNames[kind], pk.PacketID, pk.ReasonCode, id, code)
	}
}

// expectEnd reads until the broker closes the connection and returns the
// reason code of the DISCONNECT, 0 without one.
func (p *peer) expectEnd() (code byte) {
	p.t.Helper()
	for {
		pk, _, err := p.read()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			p.t.Fatal("connection was not closed")
		}
		if err != nil {
			return code
		}
		if pk.FixedHeader.Type == packets.Disconnect {
			code = pk.ReasonCode
		}
	}
}

// ping makes sure that the broker has read all that was sent before, and that
// it has sent nothing else.
func (p *peer) ping() {
	p.t.Helper()
	p.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pingreq}})
	p.expect(packets.Pingresp)
}

// await polls a state that other goroutines reach.
func await(t testing.TB, what string, reached func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !reached() {
		select {
		case <-deadline:
			t.Fatal("waited in vain until " + what)
		case <-time.After(time.Millisecond):
		}
	}
}

// drained is a context for a Close that waits for everything.
func drained(t testing.TB) context.Context { return context.WithoutCancel(t.Context()) }
