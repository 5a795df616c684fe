package ingest

import (
	"cmp"
	"slices"
	"strings"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// maxClientID bounds a client identifier, in bytes: it is remembered.
const maxClientID = 1024

// OnConnect decides on a CONNECT and, where it is good, ends the identifier's
// former connection. It does both before mochi touches any session, so that
// nobody is thrown out by a client that has no right to the name.
func (h *hook) OnConnect(mc *mqtt.Client, pk packets.Packet) error {
	c, ok := mc.Net.Conn.(*conn)
	if !ok {
		return packets.ErrNotAuthorized
	}
	cl, code := h.broker.newClient(c, mc, pk)
	if code == packets.CodeSuccess && !h.broker.takeOver(c, cl) {
		code = packets.ErrServerShuttingDown
	}
	if code != packets.CodeSuccess {
		h.broker.refuseConnect(mc, code)
		return code
	}
	h.broker.fitBacklog(cl)
	h.broker.wills.resume(cl.id, pk.Connect.Clean)

	// mochi must neither see the Will nor count what it may send: see will
	// and outbox. It must not use topic aliases either: publishers race for
	// them, and an alias can reach the client before its topic.
	props := &mc.Properties
	props.Will = mqtt.Will{}
	props.Props.ReceiveMaximum = 0
	props.Props.TopicAliasMaximum = 0
	mc.State.Inflight.ResetSendQuota(0)
	mc.State.TopicAliases.Outbound = mqtt.NewOutboundTopicAliases(0)
	return nil
}

// newClient checks a CONNECT. The code is CodeSuccess where it is good.
func (b *Broker) newClient(c *conn, mc *mqtt.Client, pk packets.Packet) (*client, packets.Code) {
	cl := &client{
		broker:    b,
		conn:      c,
		mqtt:      mc,
		id:        mc.ID,
		username:  string(pk.Connect.Username),
		remote:    remote(c),
		version:   pk.ProtocolVersion,
		keepAlive: time.Duration(pk.Connect.Keepalive) * time.Second,
		will:      takeWill(pk, mc.ID),
		aliases:   make(map[uint16]string),
		outbox:    newOutbox(int(pk.Properties.ReceiveMaximum), c.closed),
	}
	cl.inbox = newInbox(cl, b.options.Window)
	switch {
	case len(cl.id) > maxClientID:
		return nil, packets.ErrClientIdentifierNotValid
	case pk.Properties.AuthenticationMethod != "":
		return nil, packets.ErrBadAuthenticationMethod // MQTT 5.0, section 4.12: we know none
	}
	access := cl.access(Connect, "")
	access.Password = pk.Connect.Password
	if err := b.options.Authorize(access); err != nil {
		b.log.Warn("connection refused", "client", cl.id, "remote", cl.remote, "error", err)
		return nil, packets.ErrNotAuthorized
	}
	if w := cl.will; w != nil {
		if err := b.check(cl.access(LeaveWill, w.data.Topic), &w.data); err != nil {
			r, _ := refusalOf(err)
			b.log.Warn("connection refused for its will", "client", cl.id, "topic", w.data.Topic, "error", err)
			return nil, packets.Code{Code: r.code, Reason: "will " + string(r.reason)}
		}
	}
	return cl, packets.CodeSuccess
}

// takeOver makes c the connection of cl.id and waits for the end of the former
// one (MQTT 5.0, section 3.1.4). It reports false when c or the broker ends
// first.
func (b *Broker) takeOver(c *conn, cl *client) bool {
	for {
		holder := b.sessions.join(c, cl)
		if holder == nil {
			return true
		}
		holder.client.Load().disconnect(packets.ErrSessionTakenOver)
		select {
		case <-holder.done:
		case <-c.closed:
			return false
		case <-b.closing:
			return false
		}
	}
}

// fitBacklog cuts what a resumed session has not acknowledged to its Receive
// Maximum: mochi sends all of it again at once, and a client that is sent more
// than it allows ends the connection (MQTT 5.0, section 4.9), time and again.
func (b *Broker) fitBacklog(cl *client) {
	held, ok := b.server.Clients.Get(cl.id)
	if !ok || cl.outbox.max == 0 {
		return
	}
	backlog := held.State.Inflight.GetAll(false)
	slices.SortFunc(backlog, func(x, y packets.Packet) int {
		return cmp.Or(-cmp.Compare(x.FixedHeader.Type, y.FixedHeader.Type), // PUBREL before PUBLISH
			cmp.Compare(x.Created, y.Created), cmp.Compare(x.PacketID, y.PacketID))
	})
	for _, pk := range backlog[min(len(backlog), cl.outbox.max):] {
		held.State.Inflight.Delete(pk.PacketID)
		b.metrics.undelivered.Inc()
	}
}

// refuseConnect sends the negative CONNACK, with the return code of MQTT 3.1.1
// (section 3.2.2.3) where the client speaks that.
func (b *Broker) refuseConnect(mc *mqtt.Client, code packets.Code) {
	b.metrics.closed.WithLabelValues(strings.ReplaceAll(code.Reason, " ", "_")).Inc()
	if mc.Properties.ProtocolVersion < 5 {
		switch code {
		case packets.ErrClientIdentifierNotValid:
			code = packets.Err3ClientIdentifierNotValid
		case packets.ErrServerShuttingDown:
			code = packets.Err3ServerUnavailable
		default:
			code = packets.Err3NotAuthorized
		}
	}
	_ = b.server.SendConnack(mc, code, false, nil)
}
