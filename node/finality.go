package node

import (
	"fmt"
	"time"

	"tangled/consensus"
	"tangled/genesis"
	"tangled/ledger"
	"tangled/merkle"
	"tangled/message"
	"tangled/proof"
	"tangled/storage"
	"tangled/tangle"
)

// includeAhead is how far ahead of the ledger time a message's clock may run and
// still be included.
const includeAhead = uint64(60 * time.Second)

// finality is what the loop knows of the anchors: it joins the witness graph,
// the past cones of the tangle, the ledger and the commitments.
//
// It is a function of the stored messages: whatever order they came in, and
// however often the node was restarted, the same anchors give the same
// commitments.
type finality struct {
	genesis   *genesis.Genesis
	committee *consensus.Committee // nil where the network has no seats: nothing becomes final
	graph     *consensus.Graph
	ledger    *ledger.Ledger
	tree      *merkle.Tree // over C_0..C_j

	index uint64   // j of the last anchor applied
	time  uint64   // T_j
	last  [32]byte // C_j
	// commitments are the newest of C_0..C_j, to compare with those of others.
	commitments map[uint64][32]byte

	committeeHash, parametersHash [32]byte
}

// recentCommitments is how many commitments are kept in memory.
const recentCommitments = 1024

// newFinality goes on from what the store has.
func newFinality(g *genesis.Genesis, store *storage.Store) (*finality, error) {
	f := &finality{
		genesis:        g,
		time:           uint64(g.Start.UnixNano()),
		last:           g.Hash(),
		ledger:         ledger.New(g.Network()),
		tree:           new(merkle.Tree),
		committeeHash:  g.CommitteeHash(),
		parametersHash: g.ParametersHash(),
	}
	f.commitments = map[uint64][32]byte{0: f.last}
	if len(g.Committee) > 0 {
		seats := make([]consensus.Seat, len(g.Committee))
		for i, s := range g.Committee {
			seats[i] = consensus.Seat{Key: s.Key, Weight: s.Weight}
		}
		var err error
		if f.committee, err = consensus.NewCommittee(seats); err != nil {
			return nil, err
		}
	}
	wave, err := f.restore(store)
	if err != nil {
		return nil, err
	}
	if f.committee != nil {
		f.graph = consensus.New(consensus.Options{
			Committee: f.committee, NextWave: wave, LastIndex: f.index, Lookup: lookupWitness(store),
		})
	}
	return f, nil
}

// lookupWitness reads a witness of a decided round.
func lookupWitness(store *storage.Store) func(message.ID) (consensus.Witness, bool) {
	return func(id message.ID) (consensus.Witness, bool) {
		r, err := store.Get(id)
		if err != nil {
			return consensus.Witness{}, false
		}
		return witnessOf(r.Message)
	}
}

// witnessOf is the part of a witness that the commit rule looks at.
func witnessOf(m *message.Message) (consensus.Witness, bool) {
	if m.Kind != message.KindWitness {
		return consensus.Witness{}, false
	}
	w, err := m.Witness()
	if err != nil {
		return consensus.Witness{}, false // decoded once already
	}
	return consensus.Witness{ID: m.ID(), Epoch: w.Epoch, Seat: int(w.Seat), Round: w.Round, Refs: w.Refs}, true
}

// newest has the newest known witness of each seat, by its number; the zero ID
// for a seat that wrote none for an undecided round.
func (f *finality) newest() []message.ID {
	ids := make([]message.ID, f.committee.Size())
	for seat := range ids {
		for _, ref := range f.graph.Refs(f.graph.Highest(seat)) {
			if int(ref.Seat) == seat {
				ids[seat] = ref.ID
			}
		}
	}
	return ids
}

// applied is what one anchor fixed.
type applied struct {
	commitment proof.Commitment
	rows       storage.Finality
}

// apply works out what an anchor fixes. The messages of its past cone are
// stored; whatever is not in the tangle's memory is read from there.
func (f *finality) apply(a consensus.Anchor, t *tangle.Tangle, store *storage.Store) (applied, error) {
	if a.Index != f.index+1 {
		panic(fmt.Sprintf("node: anchor %d after %d", a.Index, f.index))
	}
	window := uint64(f.genesis.Window)
	from := f.time - min(f.time, window)
	until := max(f.time, a.Median) + includeAhead
	ids, capped := t.Include(a.ID, from, until, f.genesis.MaxIncluded)
	var lastTaken uint64
	if len(ids) > 0 {
		lastTaken = ids[len(ids)-1].Timestamp()
	}
	now := consensus.LedgerTime(f.time, a.Median, lastTaken, capped)
	entries, err := f.entries(ids, t, store)
	if err != nil {
		return applied{}, err
	}
	done := f.fix(a, now, ids, entries)
	t.SetLedgerTime(now)
	return done, nil
}

// fix takes what an anchor includes into the ledger and the tree of commitments.
func (f *finality) fix(a consensus.Anchor, now uint64, ids []message.ID, entries []ledger.Entry) applied {
	result := f.ledger.Apply(now, entries)
	leaves := make([][]byte, len(ids))
	for i, id := range ids {
		leaves[i] = proof.Leaf(id, uint8(result.Outcomes[i]))
	}
	c := proof.Commitment{
		Network: f.genesis.Network(), Index: a.Index, Anchor: a.ID, Time: now, Previous: f.last,
		Tree: f.tree.Root(), Count: uint64(len(ids)), Included: merkle.Root(leaves),
		State: f.ledger.StateHash(), Committee: f.committeeHash, Parameters: f.parametersHash,
	}
	hash := c.Hash()
	nodes := f.tree.Append(hash[:])
	f.index, f.time, f.last = a.Index, now, hash
	f.commitments[f.index] = hash
	delete(f.commitments, f.index-min(f.index, recentCommitments))
	return applied{commitment: c, rows: f.rows(a, c, ids, entries, result, nodes)}
}

// entries are the messages as the ledger sees them.
func (f *finality) entries(ids []message.ID, t *tangle.Tangle, store *storage.Store) ([]ledger.Entry, error) {
	entries := make([]ledger.Entry, len(ids))
	for i, id := range ids {
		entries[i].ID = id
		if kind, ok := t.Kind(id); ok && kind != message.KindTransfer {
			continue
		}
		r, err := store.Get(id)
		if err != nil {
			return nil, fmt.Errorf("included message %v: %w", id, err)
		}
		if r.Message.Kind != message.KindTransfer {
			continue
		}
		transfer, err := r.Message.Transfer()
		if err != nil {
			return nil, fmt.Errorf("included message %v: %w", id, err)
		}
		entries[i].Transfer = &transfer
	}
	return entries, nil
}

// rows is what the store keeps of an anchor.
func (f *finality) rows(a consensus.Anchor, c proof.Commitment, ids []message.ID, entries []ledger.Entry, result ledger.Result, nodes []merkle.Node) storage.Finality {
	rows := storage.Finality{Anchor: c.Index, Commitment: c.Encode()}
	rows.Included = make([]storage.FinalMessage, len(ids))
	for i, id := range ids {
		rows.Included[i] = storage.FinalMessage{ID: id, Outcome: uint8(result.Outcomes[i])}
	}
	for _, n := range nodes {
		rows.Nodes = append(rows.Nodes, storage.Node{Level: n.Level, Index: n.Index, Hash: n.Hash})
	}
	if c.Index == 1 {
		// From now on the store has all accounts, and not the changed ones alone.
		for address, account := range f.ledger.Accounts() {
			rows.Accounts = append(rows.Accounts, storage.Account{Address: address, Value: encodeAccount(account)})
		}
	}
	for _, changed := range result.Accounts {
		rows.Accounts = append(rows.Accounts, storage.Account{Address: changed.Address, Value: encodeAccount(changed.Account)})
		for _, i := range changed.Entries {
			rows.History = append(rows.History, storage.AccountEntry{Address: changed.Address, Index: uint32(i)})
		}
	}
	for _, t := range result.Applied {
		rows.Applied = append(rows.Applied, storage.AppliedTransfer{TransferID: t.ID, ValidUntil: t.ValidUntil})
	}
	for _, t := range result.Expired {
		rows.Expired = append(rows.Expired, storage.AppliedTransfer{TransferID: t.ID, ValidUntil: t.ValidUntil})
	}
	for i, e := range entries {
		if e.Transfer != nil {
			rows.Transfers = append(rows.Transfers, storage.FinalTransfer{
				TransferID: e.Transfer.ID(c.Network), Index: uint32(i), Outcome: uint8(result.Outcomes[i]),
			})
		}
	}
	// Not the graph's next wave: of several anchors that one witness decides,
	// those after this one are decided again should we stop here.
	rows.State = state{
		index: a.Index, time: c.Time, wave: a.Wave + 1, last: f.last, ledger: c.State, peaks: f.tree.Peaks(),
	}.encode()
	return rows
}
