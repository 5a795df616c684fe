package message

import (
	"sync"

	"github.com/oasisprotocol/curve25519-voi/curve"
)

// keyLimit is how many keys each of the two generations holds, at about
// 1.5 KiB each: any 4,096 issuers stay, and it takes 12 MiB at most.
const keyLimit = 4096

// keys remembers public keys in expanded form. Expansion is a fifth of the cost
// of a verification, and a city's nodes see the same few thousand keys all day.
//
// There are two generations, as in the node's memory of IDs: a key of the old
// one that is used again moves to the new one, and when that is full the old
// one goes. Unlike a list in the order of last use, nothing is written or
// allocated when a key is found, so that verifiers wait for each other only
// when they meet a new issuer.
type keys struct {
	mu       sync.RWMutex
	limit    int
	new, old map[Issuer]*curve.ExpandedEdwardsPoint
}

func newKeys(limit int) keys {
	return keys{limit: limit, new: make(map[Issuer]*curve.ExpandedEdwardsPoint)}
}

// get is the point of a key, nil if its bytes are on no point of the curve. By
// ZIP-215 every encoding counts, canonical or not. The caller must not change
// the point: it is shared.
func (k *keys) get(key Issuer) *curve.ExpandedEdwardsPoint {
	point, isNew := k.find(key)
	if isNew {
		return point
	}
	if point == nil {
		if point = expand(key); point == nil {
			return nil
		}
	}
	k.add(key, point)
	return point
}

func (k *keys) find(key Issuer) (point *curve.ExpandedEdwardsPoint, isNew bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if point, ok := k.new[key]; ok {
		return point, true
	}
	return k.old[key], false
}

func (k *keys) add(key Issuer, point *curve.ExpandedEdwardsPoint) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.new) >= k.limit {
		k.old, k.new = k.new, make(map[Issuer]*curve.ExpandedEdwardsPoint, k.limit)
	}
	k.new[key] = point
}

// expand computes the odd multiples of a key that a product with it is made of.
func expand(key Issuer) *curve.ExpandedEdwardsPoint {
	compressed := curve.CompressedEdwardsY(key)
	var point curve.EdwardsPoint
	if _, err := point.SetCompressedY(&compressed); err != nil {
		return nil
	}
	return curve.NewExpandedEdwardsPoint(&point)
}
