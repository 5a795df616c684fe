package pow

// Kernel is one way to search nonces, for whoever measures them: a Miner chooses
// by itself.
type Kernel struct {
	Name      string
	Lanes     int  // nonces side by side
	Available bool // this machine can run it

	search searchFunc
}

// Kernels are all kernels there are, the narrowest first. New takes the last one that
// is available.
func Kernels() []Kernel {
	list := []Kernel{{Name: "portable", Lanes: 1}, {Name: "avx2", Lanes: 4}, {Name: "avx512", Lanes: 16}}
	for _, has := range kernels() {
		for i := range list {
			if list[i].Name == has.name {
				list[i].Available, list[i].search = true, has.search
			}
		}
	}
	return list
}

// Search returns the least nonce in [start, start+n) with which hash has at least
// the given number of leading zero bits, 1..MaxBits; false if there is none. The
// kernel must be available.
func (k Kernel) Search(hash [32]byte, start, n uint64, zeros int) (nonce uint64, ok bool) {
	b := newBlock(hash)
	return k.search(&b, start, n, zeros)
}
