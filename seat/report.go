package seat

import (
	"encoding/binary"
	"fmt"

	"tangled/message"
)

// Topics of the data messages that carry requests and reports. Topics that begin
// with "$tangled/" are for the nodes themselves; clients cannot issue them.
const (
	RequestTopic = "$tangled/seat/request"
	ReportTopic  = "$tangled/seat/report"
)

const (
	// NonceSize is the length of a Nonce in bytes.
	NonceSize = 16

	requestSize = 1 + NonceSize
	reportSize  = requestSize + 8 + 8
)

// Nonce ties reports to one attempt to rejoin. It is drawn at random, so that
// the reports of an earlier attempt cannot be replayed.
type Nonce [NonceSize]byte

// Request is how a seat that lost its store asks the others what they know.
//
// Its encoding, the content of a data message under RequestTopic:
//
//	seat u8              0..30; its key is the message's issuer
//	nonce 16
type Request struct {
	Seat  uint8
	Nonce Nonce
}

// Append appends the encoding of r to b.
func (r Request) Append(b []byte) []byte {
	b = append(b, r.Seat)
	return append(b, r.Nonce[:]...)
}

// DecodeRequest reads the content of a message under RequestTopic.
func DecodeRequest(b []byte) (Request, error) {
	if len(b) != requestSize {
		return Request{}, fmt.Errorf("seat: request of %d bytes, want %d", len(b), requestSize)
	}
	r := Request{Seat: b[0], Nonce: Nonce(b[1:])}
	if r.Seat >= message.MaxSeats {
		return Request{}, fmt.Errorf("seat: request of seat %d, at most %d", r.Seat, message.MaxSeats-1)
	}
	return r, nil
}

// Report is one seat's answer to a Request.
//
// Its encoding, big-endian, the content of a data message under ReportTopic:
//
//	seat u8              the seat that asked
//	nonce 16             of the request
//	highest u64          zero if it knows of no witness
//	highest of seat u64  at most highest
//
// Who reports is told by the message's issuer.
type Report struct {
	Seat  uint8
	Nonce Nonce
	// Highest is the highest round that the reporter itself has written or must
	// no longer write, or of which it knows a witness of any seat.
	Highest uint64
	// HighestOfSeat is the highest round of which it knows a witness of the
	// seat that asked, for the operator to see how much of the old self got out.
	HighestOfSeat uint64
}

// Append appends the encoding of r to b.
func (r Report) Append(b []byte) []byte {
	b = Request{r.Seat, r.Nonce}.Append(b)
	b = binary.BigEndian.AppendUint64(b, r.Highest)
	return binary.BigEndian.AppendUint64(b, r.HighestOfSeat)
}

// DecodeReport reads the content of a message under ReportTopic.
func DecodeReport(b []byte) (Report, error) {
	if len(b) != reportSize {
		return Report{}, fmt.Errorf("seat: report of %d bytes, want %d", len(b), reportSize)
	}
	asked, err := DecodeRequest(b[:requestSize])
	if err != nil {
		return Report{}, fmt.Errorf("seat: report: %w", err)
	}
	r := Report{
		Seat:          asked.Seat,
		Nonce:         asked.Nonce,
		Highest:       binary.BigEndian.Uint64(b[requestSize:]),
		HighestOfSeat: binary.BigEndian.Uint64(b[requestSize+8:]),
	}
	if r.HighestOfSeat > r.Highest {
		return Report{}, fmt.Errorf("seat: report of round %d of a seat above the highest, %d", r.HighestOfSeat, r.Highest)
	}
	return r, nil
}
