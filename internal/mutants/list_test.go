package mutants

// mutant is a rule that is broken, and the test that sees it.
type mutant struct {
	name string
	file string // in the module
	from string // there exactly once
	to   string
	pkg  string // of the test
	test string // its name, with that of a part behind slashes
	args []string
}

// simulation are the arguments for a run of a few seeds, where that is enough.
func simulation(first, seeds string) []string {
	return []string{"-sim.first=" + first, "-sim.seeds=" + seeds}
}

var mutants = []mutant{
	// The commit rule.
	{
		name: "quorum less one",
		file: "consensus/committee.go",
		from: "return 3*c.Weight(set) > 2*c.total",
		to:   "return 3*(c.Weight(set)+1) > 2*c.total",
		pkg:  "consensus", test: "TestThresholds",
	},
	{
		name: "quorum less one, seen by the network",
		file: "consensus/committee.go",
		from: "return 3*c.Weight(set) > 2*c.total",
		to:   "return 3*(c.Weight(set)+1) > 2*c.total",
		pkg:  "node", test: "TestSimulation", args: simulation("1", "6"),
	},
	{
		name: "certificate of f+1",
		file: "consensus/rule.go",
		from: "if g.committee.Quorum(votes[leader]) {",
		to:   "if g.committee.MoreThanThird(votes[leader]) {",
		pkg:  "consensus", test: "TestAgreement",
	},
	{
		name: "commit on one certificate",
		file: "consensus/rule.go",
		from: "if g.committee.Quorum(leader.certificates) {",
		to:   "if leader.certificates != 0 {",
		pkg:  "consensus", test: "TestAgreement",
	},
	{
		name: "no indirect rule",
		file: "consensus/rule.go",
		from: "if leader := certifiedBy(past); leader != nil {",
		to:   "if leader := certifiedBy(past); leader != nil && false {",
		pkg:  "consensus", test: "TestAgreement",
	},
	{
		name: "two refs of one seat allowed",
		file: "consensus/witness.go",
		from: "if seat >= size || seats.has(seat) {",
		to:   "if seat >= size {",
		pkg:  "consensus", test: "TestScenarios/counts",
	},
	{
		name: "refs that are no quorum allowed",
		file: "consensus/witness.go",
		from: "if !g.committee.Quorum(seats) {",
		to:   "if false {",
		pkg:  "consensus", test: "TestScenarios",
	},
	{
		name: "refs of any round allowed",
		file: "consensus/witness.go",
		from: "return ok && w.Seat == int(ref.Seat) && w.Round == round && w.Epoch == g.epoch",
		to:   "return ok && w.Seat == int(ref.Seat) && w.Epoch == g.epoch",
		pkg:  "consensus", test: "TestScenarios",
	},

	// What an anchor fixes.
	{
		name: "order by arrival",
		file: "tangle/past.go",
		from: "t.past.merge(sorted(w.found))",
		to:   "t.past.merge(w.found)",
		pkg:  "tangle", test: "TestScenarios/include",
	},
	{
		name: "order by arrival, seen by the network",
		file: "tangle/past.go",
		from: "t.past.merge(sorted(w.found))",
		to:   "t.past.merge(w.found)",
		pkg:  "node", test: "TestSimulation", args: simulation("1", "2"),
	},
	{
		name: "local clock in the order",
		file: "node/anchor.go",
		from: "	done, err := l.finality.apply(a, l.tangle, l.n.store)\n",
		to:   "	a.Median = uint64(l.n.opts.Now().UnixNano())\n	done, err := l.finality.apply(a, l.tangle, l.n.store)\n",
		pkg:  "node", test: "TestSimulation", args: simulation("1", "2"),
	},
	{
		name: "no window",
		file: "node/finality.go",
		from: "	from := f.time - min(f.time, window)\n",
		to:   "	from := f.time - min(f.time, window, f.time)\n	from = 0\n",
		pkg:  "node", test: "TestSimulation", args: simulation("1", "12"),
	},
	{
		name: "nothing waits for the ledger time",
		file: "node/finality.go",
		from: "	until := max(f.time, a.Median) + includeAhead\n",
		to:   "	until := max(f.time, a.Median) + 1000*includeAhead\n",
		pkg:  "node", test: "TestSimulation", args: simulation("1", "2"),
	},
	{
		name: "the cap makes what waits go stale",
		file: "consensus/anchor.go",
		from: "	if capped {\n",
		to:   "	if false {\n",
		pkg:  "consensus", test: "TestLedgerTime",
	},
	{
		name: "an old missing parent is waited for by all if by one",
		file: "tangle/orphanage.go",
		from: "		if needs(o.m, parent) {\n			continue\n",
		to:   "		if needs(o.m, parent) {\n			return nil\n",
		pkg:  "tangle", test: "TestScenarios/horizon",
	},
	{
		name: "what a witness stands on may be missing",
		file: "tangle/tangle.go",
		from: " && !t.orphans.has(parent) && !t.needs(m, parent) {",
		to:   " && !t.orphans.has(parent) {",
		pkg:  "tangle", test: "TestScenarios/horizon",
	},

	// Value.
	{
		name: "a nonce is spent twice",
		file: "ledger/account.go",
		from: "case nonce < a.Base || a.Used>>(nonce-a.Base)&1 == 1:",
		to:   "case nonce < a.Base:",
		pkg:  "ledger", test: "TestOutcomes",
	},
	{
		name: "a nonce is spent twice, seen by the network",
		file: "ledger/account.go",
		from: "case nonce < a.Base || a.Used>>(nonce-a.Base)&1 == 1:",
		to:   "case nonce+64 < a.Base:",
		pkg:  "node", test: "TestSimulation", args: simulation("1", "1"),
	},
	{
		name: "expired transfers apply",
		file: "ledger/apply.go",
		from: "	case w.ledger.time > t.ValidUntil:\n",
		to:   "	case false:\n",
		pkg:  "ledger", test: "TestOutcomes",
	},

	// The crash rule.
	{
		name: "no crash rule: a seat without memory begins anew",
		file: "node/witness.go",
		from: "	case n.opts.FirstStart:\n",
		to:   "	case true:\n",
		pkg:  "node", test: "TestSimulation", args: simulation("2", "1"),
	},
	{
		name: "no crash rule: a witness is announced before it is durable",
		file: "node/loop.go",
		from: "	if err := l.n.store.Commit(records); err != nil {\n",
		to: "	for _, s := range solid {\n		if !fromPeer(s.Sender) {\n			l.n.announce(s.Message.Bytes())\n			l.n.flush()\n		}\n	}\n" +
			"	if err := l.n.store.Commit(records); err != nil {\n",
		pkg: "node", test: "TestSimulation", args: simulation("1", "12"),
	},
	{
		name: "no crash rule: the store takes a second witness for a round",
		file: "storage/witness.go",
		from: "		if ok && has != w.id {\n",
		to:   "		if false {\n",
		pkg:  "storage", test: "TestNeverTwoWitnessesForARound",
	},
	{
		name: "a seat that rejoins begins where the others are",
		file: "seat/rejoin.go",
		from: "	return top + margin, true\n",
		to:   "	return top, true\n",
		pkg:  "seat", test: "TestRejoinStart",
	},

	// Restarts.
	{
		name: "the store has the changed accounts alone",
		file: "node/finality.go",
		from: "	if c.Index == 1 {\n",
		to:   "	if false {\n",
		pkg:  "node", test: "TestRestartKnowsAllBalances",
	},
	{
		name: "of several anchors that one witness decides, a crash loses the later ones",
		file: "node/finality.go",
		from: "wave: a.Wave + 1, last: f.last",
		to:   "wave: f.graph.NextWave(), last: f.last",
		pkg:  "node", test: "TestSimulation", args: simulation("101", "50"),
	},

	// Finality goes on.
	{
		name: "refs ahead of the clock",
		file: "seat/pacemaker.go",
		from: "g.QuorumRoundBy(uint64(now.Add(Ahead).UnixNano()))",
		to:   "g.QuorumRound()",
		pkg:  "seat", test: "TestAhead",
	},
	{
		name: "a chain ahead of the clock takes the tips",
		file: "node/tips.go",
		from: "	if s.Message.Timestamp <= approveUntil(now) {\n",
		to:   "	if true {\n",
		pkg:  "node", test: "TestAheadTakesNoTips",
	},
	{
		name: "no proof of finality is kept",
		file: "node/tally.go",
		from: "!t.committee.Quorum(t.signers[ours])",
		to:   "t.committee.Quorum(t.signers[ours])",
		pkg:  "node", test: "TestProofVerifies",
	},
}
