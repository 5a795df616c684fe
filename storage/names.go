package storage

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// names gives numbers to strings, for good. All names are in memory: a city
// has some ten thousand topics, and a query with wildcards has to look at each.
type names struct {
	space byte

	mu     sync.RWMutex
	byName map[string]uint32
	// list holds the names by number, the first being number 1. It is only ever
	// appended to, so a copy of the slice is a snapshot: a reader matches ten
	// thousand names without the lock that commits need.
	list []string
}

// numbered is a row of the table.
type numbered struct {
	name   string
	number uint32
}

// load reads the names of a space. Numbers without a gap are what makes the
// next one unused.
func (n *names) load(db *pebble.DB, space byte) error {
	n.space = space
	in := span{lower: nameKey(space, ""), upper: []byte{tableName, space + 1}}
	var all []numbered
	for row, err := range rows(db, in, decodeName) {
		if err != nil {
			return err
		}
		all = append(all, row)
	}
	n.byName, n.list = make(map[string]uint32, len(all)), make([]string, len(all))
	taken := make([]bool, len(all))
	for _, row := range all {
		// Zero wraps to the greatest.
		i := row.number - 1
		if uint64(i) >= uint64(len(all)) || taken[i] {
			err := fmt.Errorf("number %d of %d names, or given twice", row.number, len(all))
			return &CorruptionError{tableName, nameKey(space, row.name)[1:], err}
		}
		taken[i], n.list[i], n.byName[row.name] = true, row.name, row.number
	}
	return nil
}

func decodeName(key, value []byte) (numbered, error) {
	if len(value) != 4 {
		return numbered{}, fmt.Errorf("number of %d bytes", len(value))
	}
	return numbered{string(key[len(nameKey(0, "")):]), binary.BigEndian.Uint32(value)}, nil
}

// number is the number of name. A new name is written with b; were b lost, the
// store would have failed and the number would never be used.
func (n *names) number(b *pebble.Batch, name string) uint32 {
	if number, ok := n.lookup(name); ok {
		return number
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, name)
	number := uint32(len(n.list))
	n.byName[name] = number
	_ = b.Set(nameKey(n.space, name), binary.BigEndian.AppendUint32(nil, number), nil)
	return number
}

// lookup is the number of a name that may not be known.
func (n *names) lookup(name string) (uint32, bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	number, ok := n.byName[name]
	return number, ok
}

// matching returns the numbers of the names that keep accepts.
func (n *names) matching(keep func(string) bool) []uint32 {
	n.mu.RLock()
	list := n.list
	n.mu.RUnlock()
	var numbers []uint32
	for i, name := range list {
		if keep(name) {
			numbers = append(numbers, uint32(i+1))
		}
	}
	return numbers
}

// name is the name with a number that was given.
func (n *names) name(number uint32) string {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.list[number-1]
}
