package tipselect

import (
	crand "crypto/rand"
	"math/rand/v2"
)

// DefaultMaxTips is the bound on the pool where Options names none: more than
// L0 at 10,000 messages a second and the largest delay, some 25 MB.
const DefaultMaxTips = 1 << 17

// Options says how a Selector draws and how much it keeps. The zero value
// works.
type Options struct {
	// Rand is the source of every choice; the Selector uses it alone from then
	// on. Nil is ChaCha8 with a seed from the operating system: an issuer
	// that can predict the choice could place its tips to be chosen.
	Rand *rand.Rand
	// MaxTips bounds the pool, in tips. Zero or less is DefaultMaxTips.
	MaxTips int
}

// ensureDefaults fills what the caller left out.
func (o *Options) ensureDefaults() {
	if o.Rand == nil {
		var seed [32]byte
		crand.Read(seed[:]) // never returns an error, see its documentation
		o.Rand = rand.New(rand.NewChaCha8(seed))
	}
	if o.MaxTips <= 0 {
		o.MaxTips = DefaultMaxTips
	}
}
