package ledger

import (
	"encoding/binary"

	"tangled/message"
)

// The first byte of an element tells what it is, so that no account can pass for
// a transfer.
const (
	tagAccount  = 1
	tagTransfer = 2
)

func accountElement(address message.Address, a Account) []byte {
	b := make([]byte, 0, 1+message.AddressSize+3*8)
	b = append(b, tagAccount)
	b = append(b, address[:]...)
	b = binary.BigEndian.AppendUint64(b, a.Balance)
	b = binary.BigEndian.AppendUint64(b, a.Base)
	return binary.BigEndian.AppendUint64(b, a.Used)
}

func transferElement(t AppliedTransfer) []byte {
	b := make([]byte, 0, 1+len(t.ID)+8)
	b = append(b, tagTransfer)
	b = append(b, t.ID[:]...)
	return binary.BigEndian.AppendUint64(b, t.ValidUntil)
}
