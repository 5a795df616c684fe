package snapshot

import (
	"math/bits"

	"tangled/genesis"
	"tangled/merkle"
	"tangled/message"
	"tangled/proof"
)

// maxIndex bounds the anchors so that the tree of their commitments, which begins
// with the genesis, is never full.
const maxIndex = 1<<62 - 2

// chain follows the commitments of a snapshot from the one before the first to
// C_j. For each, link comes first and then list. Write and Read go by it alike;
// its errors are *InvalidError.
type chain struct {
	genesis *genesis.Genesis
	// What the genesis says, hashed once.
	network    message.NetworkID
	hash       [32]byte
	committee  [32]byte
	parameters [32]byte

	first, index uint64 // i and j
	tree         *merkle.Tree
	last         proof.Commitment // C_first-1 or what link took last; zero for C_0
	lastHash     [32]byte
	beforeTime   uint64 // T_{first-1}
	firstTime    uint64 // T_first
	linked       uint64 // how many

	leaves [][]byte // room for a list's
}

func newChain(g *genesis.Genesis, index uint64) *chain {
	c := &chain{
		genesis: g, index: index, hash: g.Hash(),
		committee: g.CommitteeHash(), parameters: g.ParametersHash(),
	}
	c.network = message.NetworkID(c.hash[:])
	return c
}

// begin sets the first anchor, the commitment before it, which is not looked at
// where first is 1, and the peaks before it.
func (c *chain) begin(first uint64, before proof.Commitment, peaks [][32]byte) error {
	if first == 0 || first > c.index || c.index > maxIndex {
		return invalidf(ReasonChain, "anchors from %d to %d", first, c.index)
	}
	c.first, c.lastHash, c.beforeTime = first, c.hash, uint64(c.genesis.Start.UnixNano())
	if first > 1 {
		// Whether it is the one, the first says.
		c.last, c.lastHash, c.beforeTime = before, before.Hash(), before.Time
	}
	var err error
	if c.tree, err = merkle.Restore(first, peaks); err != nil {
		return &InvalidError{ReasonChain, err}
	}
	return nil
}

// link takes the commitment of the next anchor.
func (c *chain) link(next *proof.Commitment) error {
	if next.Network != c.network || next.Epoch != 0 || next.Committee != c.committee || next.Parameters != c.parameters {
		return invalidf(ReasonGenesis, "commitment %d of network %v, epoch %d, not made under this genesis",
			next.Index, next.Network, next.Epoch)
	}
	switch want := c.first + c.linked; {
	case next.Index != want:
		return invalidf(ReasonChain, "commitment %d, want %d", next.Index, want)
	case next.Previous != c.lastHash:
		return invalidf(ReasonChain, "commitment %d does not follow the one before it", next.Index)
	case next.Time < max(c.last.Time, c.beforeTime):
		return invalidf(ReasonChain, "the ledger time of commitment %d goes back", next.Index)
	case next.Tree != c.tree.Root():
		return invalidf(ReasonChain, "commitment %d has another tree before it", next.Index)
	case next.Count > uint64(c.genesis.MaxIncluded):
		return invalidf(ReasonList, "anchor %d with %d messages, at most %d", next.Index, next.Count, c.genesis.MaxIncluded)
	}
	if c.linked == 0 {
		c.firstTime = next.Time
	}
	c.linked++
	c.last, c.lastHash = *next, next.Hash()
	return nil
}

// list takes the list of the anchor that was linked last, encoded, and returns
// the nodes that its commitment completes.
func (c *chain) list(entries []byte) ([]merkle.Node, error) {
	c.leaves = c.leaves[:0]
	for rest := entries; len(rest) > 0; rest = rest[proof.LeafSize:] {
		c.leaves = append(c.leaves, rest[:proof.LeafSize:proof.LeafSize])
	}
	if n := uint64(len(c.leaves)); n != c.last.Count {
		return nil, invalidf(ReasonList, "anchor %d with %d messages, its commitment counts %d", c.last.Index, n, c.last.Count)
	}
	if merkle.Root(c.leaves) != c.last.Included {
		return nil, invalidf(ReasonList, "the list of anchor %d is not the one in its commitment", c.last.Index)
	}
	return c.tree.Append(c.lastHash[:]), nil
}

// done tells whether the chain is at C_j.
func (c *chain) done() bool { return c.linked > 0 && c.last.Index == c.index }

// end tells, at C_j, whether the chain has the anchors it must have and no more.
func (c *chain) end() error {
	since := Since(c.genesis, c.last.Time)
	if c.firstTime < since {
		return invalidf(ReasonRange, "anchor %d is too old to be of use to anchor %d", c.first, c.index)
	}
	if c.first > 1 && c.beforeTime >= since {
		return invalidf(ReasonRange, "begins at anchor %d, anchor %d is missing", c.first, c.first-1)
	}
	return nil
}

// peakNodes are the peaks of a tree of size leaves as nodes, the largest first.
// The hashes are left out.
func peakNodes(size uint64) []merkle.Node {
	nodes := make([]merkle.Node, 0, bits.OnesCount64(size))
	for rest := size; rest > 0; {
		level := bits.Len64(rest) - 1
		rest &^= 1 << level
		nodes = append(nodes, merkle.Node{Level: uint8(level), Index: size>>level - 1})
	}
	return nodes
}
