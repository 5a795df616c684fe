package ingest

import (
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"tangled/message"
)

// maxAliases is the Topic Alias Maximum granted to clients: aliases cost the
// broker a topic each.
const maxAliases = 32

// client is one accepted connection. Its methods run in the goroutine that
// reads the socket unless they say otherwise.
type client struct {
	broker    *Broker
	conn      *conn
	mqtt      *mqtt.Client
	id        string
	username  string
	remote    netip.AddrPort
	version   byte
	keepAlive time.Duration // 0: none
	memory    *memory
	inbox     *inbox
	outbox    *outbox
	will      *will

	established atomic.Bool // CONNACK is sent
	rechecked   atomic.Bool // its subscriptions were checked since it connected
	refusals    int         // readings refused on this connection; the inbox's worker counts

	aliases       map[uint16]string
	subscribeID   uint16       // packet identifier of the SUBSCRIBE or UNSUBSCRIBE being processed
	denied        map[int]byte // reason codes for its filters, by position
	started       bool         // the inbox has a worker
	readsRetained bool         // holds Broker.retained
	lastRead      int64        // when the newest packet came, in ns of the broker's clock
}

// publish takes a PUBLISH in. It blocks while the client's window or the
// broker is full; it never waits for the reading to be durable.
func (cl *client) publish(pk packets.Packet) {
	topic, ok := cl.resolve(&pk)
	if !ok || !cl.inbox.reserve() {
		return
	}
	d := delivery{id: pk.PacketID, qos: pk.FixedHeader.Qos, received: time.Now()}
	data := message.Data{Topic: topic, ContentType: pk.Properties.ContentType, Content: pk.Payload}
	fresh := true
	if d.qos == 0 {
		d.flight = newFlight(0)
	} else {
		var room bool
		d.flight, fresh, room = cl.memory.admit(d.id, d.qos, pk.FixedHeader.Dup, cl.broker.hash(&data))
		if !room {
			<-cl.inbox.slots
			cl.disconnect(packets.ErrReceiveMaximum)
			return
		}
	}
	if fresh {
		d.packet = publication(pk, topic)
		cl.issue(d.flight, data)
	} else {
		cl.broker.metrics.redelivered.Inc()
	}
	if !cl.started {
		cl.started = true
		cl.broker.workers.Go(cl.inbox.settleAll)
	}
	cl.inbox.queue <- d
}

// resolve checks the form of a PUBLISH and finds its topic behind an alias.
func (cl *client) resolve(pk *packets.Packet) (topic string, ok bool) {
	if code := pk.PublishValidate(maxAliases); code != packets.CodeSuccess {
		cl.disconnect(code)
		return "", false
	}
	topic = pk.TopicName
	if !pk.Properties.TopicAliasFlag {
		return topic, true
	}
	alias := pk.Properties.TopicAlias
	switch {
	case topic == "":
		if topic = cl.aliases[alias]; topic == "" {
			cl.disconnect(packets.ErrProtocolViolationNoTopic)
			return "", false
		}
	case len(topic) <= message.MaxTopicSize:
		cl.aliases[alias] = topic
	default:
		delete(cl.aliases, alias)
	}
	return topic, true
}

// publication is what subscribers get to see of a PUBLISH.
func publication(pk packets.Packet, topic string) *packets.Packet {
	pk.TopicName = topic
	pk.PacketID = 1 // mochi wants one with QoS 1 and 2 and does not use it here
	if pk.FixedHeader.Qos == 0 {
		pk.PacketID = 0
	}
	pk.FixedHeader.Dup = false
	pk.Properties.TopicAlias, pk.Properties.TopicAliasFlag = 0, false
	return &pk
}

// issue checks a reading and hands it on. f is finished at once where the
// answer is known.
func (cl *client) issue(f *flight, data message.Data) {
	if err := cl.broker.check(cl.access(Publish, data.Topic), &data); err != nil {
		f.finish(err)
		return
	}
	select {
	case cl.broker.inFlight <- struct{}{}:
		cl.broker.workers.Go(func() { f.finish(cl.broker.issueReserved(data)) })
	case <-cl.conn.closed:
		f.finish(errStopped)
	case <-cl.broker.closing:
		f.finish(errStopped)
	}
}

// errStopped is the outcome of a reading that was read and not handed on.
var errStopped = errors.New("ingest: connection ended before the reading was issued")

// release answers a PUBREL.
func (cl *client) release(id uint16) {
	known, ok := cl.memory.release(id)
	switch {
	case !ok: // the client confirms a PUBREC it cannot have got
		cl.disconnect(packets.ErrProtocolViolation)
	case !known && cl.version == 5:
		cl.reply(packets.Pubcomp, id, packets.ErrPacketIdentifierNotFound.Code)
	default:
		cl.reply(packets.Pubcomp, id, packets.CodeSuccess.Code)
	}
}

// reply queues a PUBACK, PUBREC or PUBCOMP and reports whether the connection
// still takes it. It may be called from any goroutine. The packet has no
// properties: mochi would copy the sender's own into it.
func (cl *client) reply(kind byte, id uint16, code byte) bool {
	b := [5]byte{kind << 4, 2, byte(id >> 8), byte(id), code}
	n := 4
	if code != packets.CodeSuccess.Code {
		b[1], n = 3, 5
	}
	_, err := cl.conn.Write(b[:n])
	return err == nil
}

// disconnect ends the connection, with a reason where the protocol has one.
// It may be called from any goroutine and does not wait.
func (cl *client) disconnect(code packets.Code) {
	if cl.version == 5 && cl.established.Load() {
		_ = cl.broker.server.DisconnectClient(cl.mqtt, code) // also stops it
	}
	cl.mqtt.Stop(code)
}

func (cl *client) access(action Action, topic string) Access {
	return Access{Action: action, ClientID: cl.id, Username: cl.username, Remote: cl.remote, Topic: topic}
}

// logRefusal counts a refused delivery. The first of a connection is worth an
// operator's look; a client that goes on must not fill the log.
func (cl *client) logRefusal(d delivery, r refusal, err error) {
	if d.packet == nil {
		return
	}
	cl.broker.refused(r)
	if cl.refusals++; cl.refusals == 1 {
		cl.broker.log.Warn("reading refused", "client", cl.id, "topic", d.packet.TopicName, "reason", r.reason, "error", err)
	}
}

// reserved reports whether a topic belongs to the broker.
func reserved(topic string) bool { return strings.HasPrefix(topic, "$") }
