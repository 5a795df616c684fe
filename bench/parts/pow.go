package parts

import (
	"context"
	"encoding/binary"
	"time"

	"golang.org/x/crypto/blake2b"

	"tangled/pow"
)

// PowResult tells how many nonces one core tries in a second.
type PowResult struct {
	Kernels []PowKernel `json:"kernels"` // the reference first, then the slowest first
	Chosen  string      `json:"chosen"`  // what this machine mines with
}

// PowKernel is one way to search nonces.
type PowKernel struct {
	Name            string  `json:"name"`
	Lanes           int     `json:"lanes"` // nonces side by side
	Cores           int     `json:"cores"`
	HashesPerSecond float64 `json:"hashes_per_second"` // zero where it is not available
	Available       bool    `json:"available"`         // this machine can run it
}

const (
	powRun   = 150 * time.Millisecond
	powChunk = 1 << 14
)

// reference is the plain way: the library's hash of each nonce.
const reference = "sum256"

// Pow measures every kernel of package pow on one core, and the library's BLAKE2b to
// compare with: the median of a few short runs. The error is ctx's.
func Pow(ctx context.Context) (result PowResult, err error) {
	k := PowKernel{Name: reference, Lanes: 1, Cores: 1, Available: true}
	k.HashesPerSecond = hashRate(ctx, sum256)
	result.Kernels = append(result.Kernels, k)
	for _, kernel := range pow.Kernels() {
		k := PowKernel{Name: kernel.Name, Lanes: kernel.Lanes, Cores: 1, Available: kernel.Available}
		if k.Available {
			result.Chosen = k.Name
			k.HashesPerSecond = hashRate(ctx, func(start, n uint64) {
				kernel.Search([32]byte{1}, start, n, pow.MaxBits) // finds none in our lifetime
			})
		}
		result.Kernels = append(result.Kernels, k)
	}
	return result, ctx.Err()
}

func sum256(start, n uint64) {
	in := [40]byte{1}
	for nonce := start; nonce < start+n; nonce++ {
		binary.BigEndian.PutUint64(in[32:], nonce)
		blake2b.Sum256(in[:])
	}
}

func hashRate(ctx context.Context, try func(start, n uint64)) float64 {
	return median(func() float64 {
		began, tried := time.Now(), uint64(0)
		for time.Since(began) < powRun && ctx.Err() == nil {
			try(tried, powChunk)
			tried += powChunk
		}
		return float64(tried) / time.Since(began).Seconds()
	})
}
