package storage

import (
	"encoding/binary"
	"math"

	"tangled/message"
)

// The tables; see the package comment for their rows.
const (
	tableMessage = 'm'
	tableTopic   = 't'
	tableIssuer  = 'i'
	tableName    = 'n'
	tableMeta    = 'v'
)

const indexKeySize = 1 + 4 + message.IDSize

func messageKey(id message.ID) []byte {
	return append([]byte{tableMessage}, id[:]...)
}

// indexKey is a row of the topic or the issuer table.
func indexKey(table byte, number uint32, id message.ID) []byte {
	k := make([]byte, 0, indexKeySize)
	k = append(k, table)
	k = binary.BigEndian.AppendUint32(k, number)
	return append(k, id[:]...)
}

func nameKey(space byte, name string) []byte {
	return append([]byte{tableName, space}, name...)
}

func metaKey(name string) []byte {
	return append([]byte{tableMeta}, name...)
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
