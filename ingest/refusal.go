package ingest

import (
	"errors"

	"github.com/mochi-mqtt/server/v2/packets"

	"tangled/message"
)

// Reasons for refusals that the ledger does not know.
const (
	reasonNotAuthorized message.Reason = "not_authorized"
	reasonReserved      message.Reason = "reserved_topic"
)

// refusal is why a reading can never be accepted. Its error, unlike others, is
// an answer.
type refusal struct {
	reason message.Reason
	code   byte // reason code of PUBACK and PUBREC (MQTT 5.0, tables 3-4 and 3-5)
}

// refusalOf reports whether err says that a reading can never be accepted.
func refusalOf(err error) (refusal, bool) {
	var invalid *message.InvalidError
	if !errors.As(err, &invalid) {
		return refusal{}, false
	}
	r := refusal{reason: invalid.Reason}
	switch invalid.Reason {
	case reasonNotAuthorized:
		r.code = packets.ErrNotAuthorized.Code
	case message.ReasonTopic, reasonReserved:
		r.code = packets.ErrTopicNameInvalid.Code
	case message.ReasonTooLarge:
		r.code = packets.ErrQuotaExceeded.Code
	default:
		r.code = packets.ErrImplementationSpecificError.Code
	}
	return r, true
}

func refuse(reason message.Reason, err error) error {
	return &message.InvalidError{Reason: reason, Err: err}
}
