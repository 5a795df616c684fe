package storage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"tangled/message"
)

// The tables; see the package comment for their rows.
const (
	tableMessage    = 'm'
	tableTopic      = 't'
	tableIssuer     = 'i'
	tableName       = 'n'
	tablePending    = 'p'
	tableWitness    = 'w'
	tableRound      = 'k'
	tableReplaced   = 'r'
	tableFinal      = 's'
	tableOrder      = 'f'
	tableCommitment = 'C'
	tableSignatures = 'q'
	tableNode       = 'h'
	tableAccount    = 'b'
	tableHistory    = 'a'
	tableUnexpired  = 'u'
	tableTransfer   = 'x'
	tableGap        = 'g'
	tableHeld       = 'y'
	tableMeta       = 'v'
)

// The lengths of keys, with the byte of the table.
const (
	idKeySize        = 1 + message.IDSize
	indexKeySize     = 1 + 4 + message.IDSize
	witnessKeySize   = 1 + 4 + 8
	roundKeySize     = 1 + 4 + 8 + message.IDSize
	replacedKeySize  = 1 + message.IDSize + 4
	orderKeySize     = 1 + 8 + 4
	anchorKeySize    = 1 + 8
	nodeKeySize      = 1 + 1 + 8
	accountKeySize   = 1 + message.AddressSize
	historyKeySize   = 1 + message.AddressSize + 8 + 4
	unexpiredKeySize = 1 + 8 + 32
	transferKeySize  = 1 + 32
)

// idKey is a row of a table by ID: messages, pending, final.
func idKey(table byte, id message.ID) []byte {
	k := append(make([]byte, 0, idKeySize), table)
	return append(k, id[:]...)
}

// roundKey is a row of the table of rounds.
func roundKey(epoch uint32, round uint64, id message.ID) []byte {
	k := append(make([]byte, 0, roundKeySize), tableRound)
	k = binary.BigEndian.AppendUint32(k, epoch)
	k = binary.BigEndian.AppendUint64(k, round)
	return append(k, id[:]...)
}

func messageKey(id message.ID) []byte { return idKey(tableMessage, id) }

// indexKey is a row of the topic or the issuer table.
func indexKey(table byte, number uint32, id message.ID) []byte {
	k := append(make([]byte, 0, indexKeySize), table)
	k = binary.BigEndian.AppendUint32(k, number)
	return append(k, id[:]...)
}

func nameKey(space byte, name string) []byte {
	return append([]byte{tableName, space}, name...)
}

func metaKey(name string) []byte {
	return append([]byte{tableMeta}, name...)
}

func witnessKey(w OwnWitness) []byte {
	k := append(make([]byte, 0, witnessKeySize), tableWitness)
	k = binary.BigEndian.AppendUint32(k, w.Epoch)
	return binary.BigEndian.AppendUint64(k, w.Round)
}

func replacedKey(old message.ID, issuer uint32) []byte {
	k := append(make([]byte, 0, replacedKeySize), tableReplaced)
	k = append(k, old[:]...)
	return binary.BigEndian.AppendUint32(k, issuer)
}

func orderKey(anchor uint64, index uint32) []byte {
	k := append(make([]byte, 0, orderKeySize), tableOrder)
	k = binary.BigEndian.AppendUint64(k, anchor)
	return binary.BigEndian.AppendUint32(k, index)
}

// anchorKey is a row of the commitments or of the signatures.
func anchorKey(table byte, anchor uint64) []byte {
	k := append(make([]byte, 0, anchorKeySize), table)
	return binary.BigEndian.AppendUint64(k, anchor)
}

func nodeKey(level uint8, index uint64) []byte {
	k := append(make([]byte, 0, nodeKeySize), tableNode, level)
	return binary.BigEndian.AppendUint64(k, index)
}

func accountKey(address message.Address) []byte {
	k := append(make([]byte, 0, accountKeySize), tableAccount)
	return append(k, address[:]...)
}

func historyKey(address message.Address, anchor uint64, index uint32) []byte {
	k := append(make([]byte, 0, historyKeySize), tableHistory)
	k = append(k, address[:]...)
	k = binary.BigEndian.AppendUint64(k, anchor)
	return binary.BigEndian.AppendUint32(k, index)
}

func unexpiredKey(t AppliedTransfer) []byte {
	k := append(make([]byte, 0, unexpiredKeySize), tableUnexpired)
	k = binary.BigEndian.AppendUint64(k, t.ValidUntil)
	return append(k, t.TransferID[:]...)
}

func transferKey(id message.TransferID) []byte {
	k := append(make([]byte, 0, transferKeySize), tableTransfer)
	return append(k, id[:]...)
}

// idOf reads the ID at the end of a message or index key.
func idOf(key []byte) (id message.ID, ok bool) {
	if len(key) < message.IDSize {
		return id, false
	}
	return message.ID(key[len(key)-message.IDSize:]), true
}

// floor is the least ID at a time, in nanoseconds since the Unix epoch.
func floor(from uint64) message.ID { return message.NewID(from, [32]byte{}) }

// ceiling is above the ID of every message: timestamps stay below 2^63.
func ceiling() message.ID { return floor(math.MaxUint64) }

// before is the greatest ID below id, which is not zero.
func before(id message.ID) message.ID {
	for i := len(id) - 1; i >= 0; i-- {
		if id[i]--; id[i] != 0xff {
			break
		}
	}
	return id
}

// indexNumber is the number in the key of an index row.
func indexNumber(key []byte) (uint32, error) {
	if len(key) != indexKeySize {
		return 0, &CorruptionError{key[0], bytes.Clone(key[1:]), fmt.Errorf("key of %d bytes, want %d", len(key), indexKeySize)}
	}
	return binary.BigEndian.Uint32(key[1:]), nil
}

// after is the least ID above id, at most the ceiling.
func after(id message.ID) message.ID {
	if id.Compare(ceiling()) >= 0 {
		return ceiling()
	}
	for i := len(id) - 1; i >= 0; i-- {
		if id[i]++; id[i] != 0 {
			break
		}
	}
	return id
}
