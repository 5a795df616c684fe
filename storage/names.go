package storage

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// names gives numbers to strings, for good. All names are in memory: a city
// has some ten thousand topics, and a query with wildcards has to look at each.
type names struct {
	space byte

	mu     sync.RWMutex
	byName map[string]uint32
}

// load reads the names of a space.
func (n *names) load(db *pebble.DB, space byte) error {
	n.space, n.byName = space, make(map[string]uint32)
	prefix := nameKey(space, "")
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: []byte{tableName, space + 1}})
	if err != nil {
		return fmt.Errorf("read names: %w", err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		if n := len(it.Value()); n != 4 {
			// The key is the iterator's and gone when it is closed.
			key := slices.Clone(it.Key()[1:])
			_ = it.Close()
			return &CorruptionError{tableName, key, fmt.Errorf("number of %d bytes", n)}
		}
		n.byName[string(it.Key()[len(prefix):])] = binary.BigEndian.Uint32(it.Value())
	}
	if err := it.Close(); err != nil {
		return &CorruptionError{tableName, []byte{space}, err}
	}
	return nil
}

// number is the number of name. A new name is written with b; were b lost, the
// store would have failed and the number would never be used.
func (n *names) number(b *pebble.Batch, name string) uint32 {
	n.mu.RLock()
	number, ok := n.byName[name]
	n.mu.RUnlock()
	if ok {
		return number
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	number = uint32(len(n.byName) + 1)
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
	defer n.mu.RUnlock()
	var numbers []uint32
	for name, number := range maps.All(n.byName) {
		if keep(name) {
			numbers = append(numbers, number)
		}
	}
	return numbers
}
