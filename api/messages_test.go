package api

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/internal/bubbletest"
	"tangled/message"
	"tangled/node"
	"tangled/pow"
)

func TestSubmitAndGet(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		first := f.submit(reading("city/air", 1))
		eventTime := uint64(1_700_000_000_000_000_000)
		d := reading("city/air", 2)
		d.EventTimeNs, d.Replaces = &eventTime, first[:]
		id := f.submit(d)

		got, err := f.messages.Get(t.Context(), &tangledv1.GetRequest{Id: id[:], IncludeRaw: true})
		if err != nil {
			t.Fatalf("Get: %v", err)
		}
		m := got.Message
		if !proto.Equal(m.Data, d) {
			t.Errorf("data is %v, want %v", m.Data, d)
		}
		decoded, err := message.Decode(m.Raw)
		if err != nil {
			t.Fatalf("decode raw: %v", err)
		}
		network := f.genesis.Network()
		switch {
		case decoded.ID() != id, !bytes.Equal(m.Id, id[:]):
			t.Errorf("got message %x, raw %v, want %v", m.Id, decoded.ID(), id)
		case m.Nonce != decoded.Nonce, !bytes.Equal(m.Signature, decoded.Signature[:]):
			t.Error("nonce or signature is not the message's")
		case m.TimestampNs != id.Timestamp(), m.Kind != tangledv1.Kind_KIND_DATA, !bytes.Equal(m.Network, network[:]):
			t.Errorf("timestamp %d, kind %v, network %x", m.TimestampNs, m.Kind, m.Network)
		case !slices.EqualFunc(m.Parents, decoded.Parents, func(a []byte, b message.ID) bool { return bytes.Equal(a, b[:]) }):
			t.Errorf("parents %x, want %v", m.Parents, decoded.Parents)
		case !bytes.Equal(m.Issuer, keyOf(0)[32:]):
			t.Errorf("issuer %x", m.Issuer)
		case m.SeenNs != uint64(time.Now().UnixNano()):
			t.Errorf("seen %d, want now", m.SeenNs)
		}
		if got, err = f.messages.Get(t.Context(), &tangledv1.GetRequest{Id: id[:]}); err != nil || len(got.Message.Raw) != 0 {
			t.Errorf("raw bytes came unasked, or %v", err)
		}
	})
}

func TestSubmitRefuses(t *testing.T) {
	zero := uint64(0)
	tests := []struct {
		name   string
		data   *tangledv1.Data
		reason string
	}{
		{"no data", nil, "TOPIC"},
		{"empty topic", &tangledv1.Data{}, "TOPIC"},
		{"wildcard", reading("city/+/air", 1), "TOPIC"},
		{"long topic", reading(strings.Repeat("x", 257), 1), "TOPIC"},
		{"content type", &tangledv1.Data{Topic: "a", ContentType: "é"}, "CONTENT_TYPE"},
		{"content", &tangledv1.Data{Topic: "a", Content: make([]byte, message.MaxSize)}, "TOO_LARGE"},
		{"event time", &tangledv1.Data{Topic: "a", EventTimeNs: &zero}, "EVENT_TIME"},
		{"short replaces", &tangledv1.Data{Topic: "a", Replaces: make([]byte, 39)}, "ID"},
		{"zero replaces", &tangledv1.Data{Topic: "a", Replaces: make([]byte, 40)}, "ID"},
	}
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		for _, test := range tests {
			_, err := f.messages.Submit(t.Context(), &tangledv1.SubmitRequest{Data: test.data})
			wantError(t, test.name, err, codes.InvalidArgument, test.reason)
		}
	})
}

// signed makes a message the way a client does, from what Prepare says.
func (f *fixture) signed(p *tangledv1.PrepareResponse, timestamp uint64, change func(*message.Draft)) *message.Message {
	f.t.Helper()
	data := message.Data{Topic: "client/made", Content: []byte("x")}
	d := message.Draft{
		Network: message.NetworkID(p.Network), Timestamp: timestamp,
		Kind: message.KindData, Payload: data.Append(nil),
	}
	for _, parent := range p.Parents {
		d.Parents = append(d.Parents, message.ID(parent))
	}
	if change != nil {
		change(&d)
	}
	m, err := d.Sign(keyOf(7))
	if err != nil {
		f.t.Fatalf("Sign: %v", err)
	}
	nonce, err := pow.New(pow.Options{}).Mine(f.t.Context(), m.ID().Hash(), int(p.Bits))
	if err != nil {
		f.t.Fatalf("Mine: %v", err)
	}
	m.SetNonce(nonce)
	return m
}

func (f *fixture) prepare() *tangledv1.PrepareResponse {
	f.t.Helper()
	p, err := f.messages.Prepare(f.t.Context(), &tangledv1.PrepareRequest{})
	if err != nil {
		f.t.Fatalf("Prepare: %v", err)
	}
	return p
}

func TestPrepareAndSubmitSigned(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		p := f.prepare()
		genesis := f.genesis.ID()
		if p.Bits != 4 || !bytes.Equal(p.Genesis, genesis[:]) || p.ServerTimeNs != uint64(time.Now().UnixNano()) {
			t.Errorf("prepared %v", p)
		}
		now := p.LeastTimestampNs
		unknown := []message.ID{message.NewID(now-2, [32]byte{1}), message.NewID(now-1, [32]byte{2})}
		tests := []struct {
			name    string
			message *message.Message
			want    tangledv1.State
		}{
			{"first", f.signed(p, now, nil), tangledv1.State_STATE_DURABLE},
			{"again", f.signed(p, now, nil), tangledv1.State_STATE_DUPLICATE},
			{"unknown parents", f.signed(p, now, func(d *message.Draft) { d.Parents = unknown }), tangledv1.State_STATE_ORPHAN},
			{"half a minute ahead", f.signed(p, now+30e9, nil), tangledv1.State_STATE_HELD},
			{"two minutes ahead", f.signed(p, now+120e9, nil), tangledv1.State_STATE_AHEAD},
		}
		for _, test := range tests {
			reply, err := f.messages.SubmitSigned(t.Context(), &tangledv1.SubmitSignedRequest{Message: test.message.Bytes()})
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
				continue
			}
			id := test.message.ID()
			if reply.Receipt.State != test.want || !bytes.Equal(reply.Receipt.Id, id[:]) {
				t.Errorf("%s: receipt %v, want %v", test.name, reply.Receipt, test.want)
			}
		}
	})
}

func TestStatesHaveTheirNames(t *testing.T) {
	for state := node.Durable; state <= node.Surplus; state++ {
		if got, want := protoState(state).String(), "STATE_"+strings.ToUpper(state.String()); got != want {
			t.Errorf("state %v is %s, want %s", state, got, want)
		}
	}
}

func TestSubmitSignedRefuses(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		p := f.prepare()
		m := f.signed(p, p.LeastTimestampNs, nil)
		other := f.signed(p, p.LeastTimestampNs, func(d *message.Draft) { d.Network[0] ^= 1 })
		lazy := f.signed(p, p.LeastTimestampNs, nil)
		for nonce := uint64(0); lazy.Work() >= int(p.Bits); nonce++ {
			lazy.SetNonce(nonce)
		}
		forged := f.forge(f.signed(p, p.LeastTimestampNs+1, nil))
		tests := []struct {
			name   string
			raw    []byte
			reason string
		}{
			{"nothing", nil, "TRUNCATED"},
			{"cut short", m.Bytes()[:len(m.Bytes())-1], "TRUNCATED"},
			{"trailing", append(slices.Clone(m.Bytes()), 0), "TRAILING_BYTES"},
			{"too large", make([]byte, message.MaxSize+1), "TOO_LARGE"},
			{"other network", other.Bytes(), "NETWORK"},
			{"no work", lazy.Bytes(), "WORK"},
			{"bad signature", forged, "SIGNATURE"},
		}
		for _, test := range tests {
			_, err := f.messages.SubmitSigned(t.Context(), &tangledv1.SubmitSignedRequest{Message: test.raw})
			wantError(t, test.name, err, codes.InvalidArgument, test.reason)
		}
	})
}

// forge is m with a signature that nobody made, and with the work that goes with it.
func (f *fixture) forge(m *message.Message) []byte {
	f.t.Helper()
	forged, err := m.Draft.Seal(m.Issuer, [64]byte{1})
	if err != nil {
		f.t.Fatalf("Seal: %v", err)
	}
	nonce, err := pow.New(pow.Options{}).Mine(f.t.Context(), forged.ID().Hash(), 4)
	if err != nil {
		f.t.Fatalf("Mine: %v", err)
	}
	forged.SetNonce(nonce)
	return forged.Bytes()
}

func TestMetadata(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		id := f.submit(reading("a", 1))
		for i := range 20 {
			f.submit(reading("b", i))
		}
		time.Sleep(2 * time.Second) // the measure may be a second old
		md, err := f.messages.Metadata(t.Context(), &tangledv1.MetadataRequest{Id: id[:]})
		if err != nil {
			t.Fatalf("Metadata: %v", err)
		}
		if !md.Solid || !md.Measured || !md.Exact || md.SeenNs == 0 || md.Tips == 0 || !bytes.Equal(md.Id, id[:]) {
			t.Errorf("metadata %v", md)
		}
		if md.Confidence != float64(md.Reached)/float64(md.Tips) {
			t.Errorf("confidence %v, reached %d of %d", md.Confidence, md.Reached, md.Tips)
		}
		p := f.prepare()
		orphan := f.signed(p, p.LeastTimestampNs, func(d *message.Draft) {
			d.Parents = []message.ID{message.NewID(d.Timestamp-2, [32]byte{1}), message.NewID(d.Timestamp-1, [32]byte{2})}
		})
		if _, err := f.node.Submit(t.Context(), orphan.Bytes()); err != nil {
			t.Fatalf("Submit: %v", err)
		}
		id = orphan.ID()
		if md, err = f.messages.Metadata(t.Context(), &tangledv1.MetadataRequest{Id: id[:]}); err != nil || md.Solid || md.Measured {
			t.Errorf("metadata of an orphan: %v, %v", md, err)
		}
	})
}

func TestGetAndMetadataRefuse(t *testing.T) {
	tests := []struct {
		name   string
		id     []byte
		code   codes.Code
		reason string
	}{
		{"none", nil, codes.InvalidArgument, "ID"},
		{"hash only", make([]byte, 32), codes.InvalidArgument, "ID"},
		{"unknown", bytes.Repeat([]byte{1}, 40), codes.NotFound, ""},
	}
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		for _, test := range tests {
			_, err := f.messages.Get(t.Context(), &tangledv1.GetRequest{Id: test.id})
			wantError(t, test.name, err, test.code, test.reason)
			_, err = f.messages.Metadata(t.Context(), &tangledv1.MetadataRequest{Id: test.id})
			wantError(t, test.name, err, test.code, test.reason)
		}
	})
}

func TestDiskLowRefusesIntakeOnly(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		id := f.submit(reading("a", 1))
		f.disk.free.Store(1)
		time.Sleep(2 * time.Second)
		_, err := f.messages.Submit(t.Context(), &tangledv1.SubmitRequest{Data: reading("a", 2)})
		wantError(t, "submit with a full disk", err, codes.ResourceExhausted, "")
		if _, err := f.messages.Get(t.Context(), &tangledv1.GetRequest{Id: id[:]}); err != nil {
			t.Errorf("Get: %v", err)
		}
	})
}

func TestUnaryCallsHaveADeadline(t *testing.T) {
	bubble(t, Options{Timeout: 7 * time.Second}, func(t *testing.T, f *fixture) {
		resume := f.disk.stall()
		defer func() { resume(); bubbletest.Wait() }()
		start := time.Now()
		_, err := f.messages.Submit(t.Context(), &tangledv1.SubmitRequest{Data: reading("a", 1)})
		wantError(t, "submit with a stalled disk", err, codes.DeadlineExceeded, "")
		if took := time.Since(start); took != 7*time.Second {
			t.Errorf("took %v, want the default deadline of 7s", took)
		}
	})
}
