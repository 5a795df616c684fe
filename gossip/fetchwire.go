package gossip

import (
	"encoding/binary"

	"tangled/message"
)

const (
	// MaxFetchIDs is how many missing IDs, and how many held ones, a fetch
	// request names at most.
	MaxFetchIDs = 256
	// MaxFetchMessages is how many messages a fetch reply carries at most.
	MaxFetchMessages = 5000
	// MaxFetchSize is how many bytes of messages a fetch reply carries at most.
	MaxFetchSize = 4 << 20
)

// FetchRequest asks for messages and their ancestors, big-endian:
//
//	want count u16     1..256
//	want               IDs of 40 bytes, none zero
//	have count u16     0..256
//	have               IDs of 40 bytes, none zero
//	since u64          nanoseconds
//	after [40]         zero for the first part
type FetchRequest struct {
	// Want are the IDs that are missing: at least one, at most MaxFetchIDs.
	Want []message.ID
	// Have are IDs whose past cone the asker holds, at most MaxFetchIDs: the
	// answer goes down to them.
	Have []message.ID
	// Since is the ledger time, in nanoseconds since the Unix epoch, up to which the
	// asker has all that the peer had then. Where the peer finds that the ancestors
	// are too many, it sends the history from there on. Zero asks for the messages
	// with only the nearest of their ancestors then.
	Since uint64
	// After is FetchReply.Next of the part before; zero asks for the first.
	After message.ID
}

// FetchReply is one part of the answer, big-endian:
//
//	count u16          0..5,000
//	count times:
//	    length u32     1..32,768
//	    message        length bytes; 4 MiB of messages at most
//	next [40]          zero when this was the last part
type FetchReply struct {
	// Messages, oldest first: at most MaxFetchMessages and MaxFetchSize bytes.
	// Those that Fetch returns share one block of memory, the caller's.
	Messages [][]byte
	// Next asks for the part that follows; zero when there is none.
	Next message.ID
}

// validate tells whether the request can be encoded. The error is an
// *InvalidError.
func (q *FetchRequest) validate() error {
	switch {
	case len(q.Want) == 0:
		return invalidf(reasonEmpty, "nothing wanted")
	case len(q.Want) > MaxFetchIDs:
		return invalidf(reasonTooMany, "%d IDs wanted, at most %d", len(q.Want), MaxFetchIDs)
	case len(q.Have) > MaxFetchIDs:
		return invalidf(reasonTooMany, "%d IDs held, at most %d", len(q.Have), MaxFetchIDs)
	}
	for _, ids := range [2][]message.ID{q.Want, q.Have} {
		for i := range ids {
			if ids[i].IsZero() {
				return invalidf(reasonZeroID, "ID %d of %d is zero", i, len(ids))
			}
		}
	}
	return nil
}

func appendFetchRequest(b []byte, q FetchRequest) []byte {
	b = appendIDs(b, q.Want)
	b = appendIDs(b, q.Have)
	b = binary.BigEndian.AppendUint64(b, q.Since)
	return append(b, q.After[:]...)
}

// decodeFetchRequest reads a request. The error is an *InvalidError.
func decodeFetchRequest(b []byte) (FetchRequest, error) {
	var q FetchRequest
	var err error
	r := reader{b: b}
	if q.Want, err = r.ids(MaxFetchIDs); err != nil {
		return FetchRequest{}, err
	}
	if q.Have, err = r.ids(MaxFetchIDs); err != nil {
		return FetchRequest{}, err
	}
	q.Since = r.uint64()
	q.After = r.id()
	if r.short {
		return FetchRequest{}, invalidf(reasonTruncated, "ends within the request's tail")
	}
	if err := q.validate(); err != nil {
		return FetchRequest{}, err
	}
	return q, r.end()
}

// validate tells whether the reply can be encoded. The error is an
// *InvalidError.
func (p *FetchReply) validate() error {
	if len(p.Messages) > MaxFetchMessages {
		return invalidf(reasonTooMany, "%d messages, at most %d", len(p.Messages), MaxFetchMessages)
	}
	size := 0
	for i, m := range p.Messages {
		size += len(m)
		switch {
		case len(m) == 0:
			return invalidf(reasonEmpty, "message %d has no bytes", i)
		case len(m) > maxMessageSize:
			return invalidf(reasonTooLarge, "message %d of %d bytes, at most %d", i, len(m), maxMessageSize)
		case size > MaxFetchSize:
			return invalidf(reasonTooLarge, "more than %d bytes of messages", MaxFetchSize)
		}
	}
	return nil
}

// size is the length of the encoding.
func (p *FetchReply) size() int {
	n := 2 + message.IDSize
	for _, m := range p.Messages {
		n += lengthPrefixSize + len(m)
	}
	return n
}

func appendFetchReply(b []byte, p FetchReply) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(p.Messages)))
	for _, m := range p.Messages {
		b = appendBytes(b, m)
	}
	return append(b, p.Next[:]...)
}

// decodeFetchReply reads a reply. The messages share memory with b. The error is
// an *InvalidError.
func decodeFetchReply(b []byte) (FetchReply, error) {
	r := reader{b: b}
	count := int(r.uint16())
	switch {
	case r.short:
		return FetchReply{}, invalidf(reasonTruncated, "ends before the count of messages")
	case count > MaxFetchMessages:
		return FetchReply{}, invalidf(reasonTooMany, "%d messages, at most %d", count, MaxFetchMessages)
	case count*(lengthPrefixSize+1) > len(r.b):
		// Before anything is allocated for the count.
		return FetchReply{}, invalidf(reasonTruncated, "%d bytes cannot hold %d messages", len(r.b), count)
	}
	var p FetchReply
	if count > 0 {
		p.Messages = make([][]byte, count)
	}
	size := 0
	for i := range p.Messages {
		m, err := r.message(i)
		if err != nil {
			return FetchReply{}, err
		}
		if size += len(m); size > MaxFetchSize {
			return FetchReply{}, invalidf(reasonTooLarge, "more than %d bytes of messages", MaxFetchSize)
		}
		p.Messages[i] = m
	}
	if p.Next = r.id(); r.short {
		return FetchReply{}, invalidf(reasonTruncated, "ends within the continuation token")
	}
	return p, r.end()
}
