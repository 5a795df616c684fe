package ingest

import (
	"strings"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"tangled/message"
)

// subscribe marks the filters the client may not have. Their reason codes
// replace mochi's in the SUBACK.
func (cl *client) subscribe(pk packets.Packet) packets.Packet {
	clear(cl.denied)
	held := cl.mqtt.State.Subscriptions.Len()
	for i := range pk.Filters {
		code := cl.judge(pk.Filters[i].Filter)
		if code == packets.CodeSuccess.Code {
			if _, again := cl.mqtt.State.Subscriptions.Get(pk.Filters[i].Filter); again {
				continue
			}
			if held++; held <= cl.broker.options.MaxSubscriptions {
				continue
			}
			code = packets.ErrQuotaExceeded.Code
		}
		if cl.denied == nil {
			cl.denied = make(map[int]byte)
		}
		if cl.version < 5 {
			code = packets.ErrUnspecifiedError.Code
		}
		cl.denied[i] = code
		pk.Filters[i].Filter = "" // no filter: mochi subscribes to nothing
	}
	return pk
}

// beginRetained keeps the index of retained messages as it is until endRetained.
func (cl *client) beginRetained() {
	cl.broker.retained.RLock()
	cl.readsRetained = true
}

// endRetained is also for a connection that ended in between.
func (cl *client) endRetained() {
	if cl.readsRetained {
		cl.readsRetained = false
		cl.broker.retained.RUnlock()
	}
}

// judge is the reason code of SUBACK for a filter, success where the client
// may have it.
func (cl *client) judge(filter string) byte {
	group, rest := splitShare(filter)
	if !mqtt.IsValidFilter(filter, false) || len(rest) > message.MaxTopicSize || len(group) > message.MaxTopicSize {
		return packets.ErrTopicFilterInvalid.Code
	}
	if err := cl.broker.options.Authorize(cl.access(Subscribe, rest)); err != nil {
		cl.broker.log.Debug("subscription refused", "client", cl.id, "filter", filter, "error", err)
		return packets.ErrNotAuthorized.Code
	}
	return packets.CodeSuccess.Code
}

// splitShare takes "$share/group/" off a shared subscription's filter. mochi
// knows the prefix in any case.
func splitShare(filter string) (group, rest string) {
	const prefix = "$share/"
	if len(filter) < len(prefix) || !strings.EqualFold(filter[:len(prefix)], prefix) {
		return "", filter
	}
	group, rest, _ = strings.Cut(filter[len(prefix):], "/")
	return group, rest
}

// recheck drops the subscriptions of a resumed session that the client may no
// longer have.
func (cl *client) recheck() {
	for filter := range cl.mqtt.State.Subscriptions.GetAll() {
		if cl.judge(filter) != packets.CodeSuccess.Code {
			cl.broker.server.Topics.Unsubscribe(filter, cl.id)
			cl.mqtt.State.Subscriptions.Delete(filter)
		}
	}
}
