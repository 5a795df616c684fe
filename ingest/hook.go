package ingest

import (
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// hook is where mochi asks us. Its methods run in the goroutine of the
// connection concerned, OnPacketEncode and OnACLCheck in others too.
type hook struct {
	mqtt.HookBase
	broker *Broker
}

// ID names the hook in mochi's log.
func (*hook) ID() string { return "ingest" }

// Provides lists the methods below.
func (*hook) Provides(method byte) bool {
	switch method {
	case mqtt.OnConnect, mqtt.OnConnectAuthenticate, mqtt.OnSessionEstablished, mqtt.OnACLCheck,
		mqtt.OnPacketRead, mqtt.OnPacketEncode, mqtt.OnPacketSent, mqtt.OnPacketProcessed, mqtt.OnSubscribe,
		mqtt.OnPublishDropped, mqtt.OnClientExpired:
		return true
	}
	return false
}

// clientOf is the accepted connection behind mochi's client, nil before.
func clientOf(mc *mqtt.Client) *client {
	if c, ok := mc.Net.Conn.(*conn); ok {
		return c.client.Load()
	}
	return nil
}

// OnConnectAuthenticate has nothing left to decide: OnConnect did, before the
// identifier's former connection was ended.
func (*hook) OnConnectAuthenticate(*mqtt.Client, packets.Packet) bool { return true }

// OnACLCheck denies every write: no PUBLISH of a network client gets as far as
// this. A read is allowed because the subscription was, at SUBSCRIBE; but not
// yet in a resumed session, to which messages may go before its subscriptions are
// checked again.
func (*hook) OnACLCheck(mc *mqtt.Client, topic string, write bool) bool {
	if write {
		return false
	}
	cl := clientOf(mc)
	return cl == nil || cl.rechecked.Load() || cl.judge(topic) == packets.CodeSuccess.Code
}

// OnSessionEstablished follows the CONNACK.
func (h *hook) OnSessionEstablished(mc *mqtt.Client, _ packets.Packet) {
	if cl := clientOf(mc); cl != nil {
		cl.established.Store(true)
		cl.recheck()
		cl.rechecked.Store(true)
	}
}

// OnPacketRead takes the packets whose identifier is the client's own away
// from mochi, which looks it up among the identifiers of what it sent to that
// client: a PUBLISH or PUBREL would delete, a SUBSCRIBE be refused for, a
// message of the same number on its way there.
func (h *hook) OnPacketRead(mc *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	cl := clientOf(mc)
	if cl == nil {
		return pk, nil // the CONNECT itself
	}
	cl.lastRead = h.broker.now()
	if !cl.conn.waitRoom() {
		return nothing(pk), nil
	}
	switch pk.FixedHeader.Type {
	case packets.Publish:
		cl.publish(pk)
		return nothing(pk), nil
	case packets.Pubrel:
		cl.release(pk.PacketID)
		return nothing(pk), nil
	case packets.Subscribe, packets.Unsubscribe:
		return cl.hideIdentifier(pk), nil
	case packets.Puback, packets.Pubcomp:
		cl.outbox.settled(pk.PacketID)
	case packets.Pubrec:
		if pk.ReasonCode >= packets.ErrUnspecifiedError.Code {
			cl.outbox.settled(pk.PacketID)
		}
	}
	return pk, nil
}

// nothing is a packet without effect: a PUBACK of an identifier that is never
// given out. OnPacketRead has no way to say that a packet is dealt with; an
// error would end the connection.
func nothing(pk packets.Packet) packets.Packet {
	return packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Puback}, ProtocolVersion: pk.ProtocolVersion}
}

// hideIdentifier gives a SUBSCRIBE or UNSUBSCRIBE the identifier 0 until its
// answer is encoded.
func (cl *client) hideIdentifier(pk packets.Packet) packets.Packet {
	if pk.PacketID == 0 {
		cl.disconnect(packets.ErrProtocolViolationNoPacketID)
		return nothing(pk)
	}
	cl.subscribeID = pk.PacketID
	pk.PacketID = 0
	pk.FixedHeader.Qos = 0 // mochi reads the fixed flag bit as a QoS that wants an identifier
	return pk
}

// OnSubscribe checks the rights to the filters.
func (h *hook) OnSubscribe(mc *mqtt.Client, pk packets.Packet) packets.Packet {
	if cl := clientOf(mc); cl != nil {
		return cl.subscribe(pk)
	}
	return pk
}

// OnPacketSent follows the SUBACK, which may wait for the client. Then mochi looks
// for retained messages.
func (*hook) OnPacketSent(mc *mqtt.Client, pk packets.Packet, _ []byte) {
	if cl := clientOf(mc); cl != nil && pk.FixedHeader.Type == packets.Suback {
		cl.beginRetained()
	}
}

// OnPacketProcessed follows the last of the retained messages.
func (*hook) OnPacketProcessed(mc *mqtt.Client, pk packets.Packet, _ error) {
	if cl := clientOf(mc); cl != nil && pk.FixedHeader.Type == packets.Subscribe {
		cl.endRetained()
	}
}

// OnPacketEncode completes what mochi is about to write. A PUBLISH waits here,
// before mochi takes the client's lock, for room in the connection and in the
// client's Receive Maximum.
func (h *hook) OnPacketEncode(mc *mqtt.Client, pk packets.Packet) packets.Packet {
	cl := clientOf(mc)
	if cl == nil {
		return pk
	}
	switch pk.FixedHeader.Type {
	case packets.Connack:
		if !pk.SessionPresent {
			cl.memory.endSession()
		}
		pk.Properties.TopicAliasMaximum = maxAliases
		pk.Properties.MaximumPacketSize = uint32(h.broker.options.MaxPacketSize)
	case packets.Suback:
		pk.PacketID = cl.subscribeID
		for i, code := range cl.denied {
			pk.ReasonCodes[i] = code
		}
	case packets.Unsuback:
		pk.PacketID = cl.subscribeID
	case packets.Publish:
		cl.conn.waitRoom()
		if pk.FixedHeader.Qos > 0 {
			cl.outbox.sending(pk.PacketID, pk.FixedHeader.Dup)
		}
	}
	return pk
}

// OnPublishDropped counts what a slow subscriber misses.
func (h *hook) OnPublishDropped(*mqtt.Client, packets.Packet) { h.broker.metrics.undelivered.Inc() }

// OnClientExpired takes the expired session's subscriptions out of the index,
// where mochi leaves them.
func (h *hook) OnClientExpired(mc *mqtt.Client) { h.broker.server.UnsubscribeClient(mc) }
