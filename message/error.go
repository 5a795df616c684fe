package message

import "fmt"

// Reason says in one word what a sender got wrong. It labels the counters of
// refused messages, so the set is small and fixed.
type Reason string

// What can be wrong with a message by its bytes, the genesis and its parents'
// IDs alone. Every node judges alike.
const (
	ReasonTruncated   Reason = "truncated"
	ReasonTooLarge    Reason = "too_large"
	ReasonTrailing    Reason = "trailing_bytes"
	ReasonVersion     Reason = "version"
	ReasonNetwork     Reason = "network"
	ReasonKind        Reason = "kind"
	ReasonParents     Reason = "parents"
	ReasonParentOrder Reason = "parent_order"
	ReasonTimestamp   Reason = "timestamp"
	ReasonSignature   Reason = "signature"
	ReasonWork        Reason = "work"
	ReasonTopic       Reason = "topic"
	ReasonContentType Reason = "content_type"
	ReasonPayload     Reason = "payload"
	ReasonTransfer    Reason = "transfer"
	ReasonWitness     Reason = "witness"
)

// InvalidError tells that a message can never be valid, whoever looks at it
// and whenever. It is the sender's fault.
type InvalidError struct {
	Reason Reason
	Err    error
}

func (e *InvalidError) Error() string { return "invalid message: " + e.Err.Error() }

// Unwrap gives the detail.
func (e *InvalidError) Unwrap() error { return e.Err }

func invalidf(reason Reason, format string, args ...any) *InvalidError {
	return &InvalidError{Reason: reason, Err: fmt.Errorf(format, args...)}
}
