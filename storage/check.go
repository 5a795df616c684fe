package storage

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"

	"github.com/cockroachdb/pebble/v2"
)

// maxDamages is how many damages a CheckReport lists.
const maxDamages = 100

// CheckReport is what Check found.
type CheckReport struct {
	Tables []TableRows // in the order they were read
	// Damages are the first ones, at most 100, and Damaged is how many there are. A
	// stretch that cannot be read counts as one: its Key is the last one read
	// before it, and its Err names the first one behind it.
	Damages []*CorruptionError
	Damaged uint64
}

// TableRows is how many rows of a table could be read.
type TableRows struct {
	Table byte
	Rows  uint64
}

// Check reads every row of every table, as they are when it begins, and compares
// the tables: messages with their keys, index rows with messages, the lists of
// anchors with where messages became final, and that all is here that is in no
// gap. It goes on behind what it cannot read, where there is anything. progress,
// if not nil, is told now and then how much of the disk's bytes are read.
//
// Blocks that are in the cache are not read from the disk: a store opened for the
// purpose is checked best. What commitments and accounts mean is for others to
// check. The error is ctx's, or that the store is closed; damage is not an error.
func (s *Store) Check(ctx context.Context, progress func(done, total uint64)) (CheckReport, error) {
	if err := s.enter(); err != nil {
		return CheckReport{}, err
	}
	defer s.readers.Done()
	c := s.newChecker(ctx, progress)
	defer c.snap.Close()
	err := c.run()
	return c.report, err
}

// checker is one Check.
type checker struct {
	ctx      context.Context
	s        *Store
	snap     *pebble.Snapshot
	count    uint64 // of messages there should be
	anchor   uint64
	seeding  bool
	gaps     []Gap
	progress func(done, total uint64)
	report   CheckReport

	done, total uint64 // bytes, of the tables read and of all
	// Sums of hashes over the rows that one table should have by another: where
	// the sums of two tables are equal, so are the rows. Reading both in order and
	// adding up is ten times quicker than to look up each row.
	seed           maphash.Seed
	topics         [2]uint64 // by 'm' and by 't'
	issuers        [2]uint64 // by 'm' and by 'i'
	finals         [2]uint64 // by 's' and by 'f'
	unreadable     map[byte]bool
	expectedAnchor uint64 // by the commitments so far
	place          place  // of the row of the order before
	finalBodies    lookAlong
	pendingBodies  lookAlong
}

// newChecker sees the tables and what is kept in memory as of one moment.
func (s *Store) newChecker(ctx context.Context, progress func(done, total uint64)) *checker {
	s.writing.Lock()
	defer s.writing.Unlock()
	c := &checker{
		ctx: ctx, s: s, snap: s.db.NewSnapshot(), progress: progress, seed: maphash.MakeSeed(),
		count: s.count.Load(), anchor: s.anchor.Load(), seeding: s.seeding.Load() != 0, gaps: *s.gaps.Load(),
		unreadable: map[byte]bool{}, expectedAnchor: 1,
	}
	c.finalBodies = lookAlong{from: c.snap, table: tableMessage}
	c.pendingBodies = lookAlong{from: c.snap, table: tableMessage}
	return c
}

// checked is a table, the length of its keys (zero if they differ), and what is
// to be said against a row.
type checked struct {
	table   byte
	keySize int
	row     func(key, value []byte) error
}

func (c *checker) tables() []checked {
	return []checked{
		{tableMeta, 0, decodes(decodeBytes)},
		{tableName, 0, decodes(decodeName)},
		{tableGap, anchorKeySize, decodes(decodeGap)},
		{tableMessage, idKeySize, c.message},
		{tableTopic, indexKeySize, c.index(&c.topics[1])},
		{tableIssuer, indexKeySize, c.index(&c.issuers[1])},
		{tableFinal, idKeySize, c.final},
		{tableOrder, orderKeySize, c.order},
		{tableCommitment, anchorKeySize, c.commitment},
		{tableSignatures, anchorKeySize, decodes(decodeBytes)},
		{tableNode, nodeKeySize, decodes(decodeHash)},
		{tableAccount, accountKeySize, decodes(decodeAccount)},
		{tableHistory, historyKeySize, decodes(decodePosition)},
		{tableUnexpired, unexpiredKeySize, decodes(decodeUnexpired)},
		{tableTransfer, transferKeySize, decodes(decodeTransfer)},
		{tablePending, idKeySize, c.pending},
		{tableWitness, witnessKeySize, decodes(decodeWitness)},
		{tableRound, roundKeySize, decodes(decodeKeyID)},
		{tableReplaced, replacedKeySize, decodes(decodeID)},
		{tableHeld, idKeySize, decodes(decodeBytes)},
	}
}

// decodes is the rule that a row can be decoded.
func decodes[T any](decode decoder[T]) func(key, value []byte) error {
	return func(key, value []byte) error {
		_, err := decode(key, value)
		return err
	}
}

func (c *checker) run() error {
	defer c.finalBodies.close()
	defer c.pendingBodies.close()
	tables := c.tables()
	sizes := make([]uint64, len(tables))
	for i, t := range tables {
		sizes[i] = c.bytes([]byte{t.table}, []byte{t.table + 1})
		c.total += sizes[i]
	}
	for i, t := range tables {
		if err := c.walk(t); err != nil {
			return err
		}
		c.done += sizes[i]
		c.tell(0)
	}
	c.endOfCommitments()
	if n := c.rowsOf(tableMessage); n != c.count && !c.unreadable[tableMessage] {
		c.damage(tableMeta, []byte("count"), fmt.Errorf("%d messages are counted, %d are here", c.count, n))
	}
	return c.compare()
}

// bytes is about how many bytes the rows between two keys take on the disk.
func (c *checker) bytes(lower, upper []byte) uint64 {
	n, err := c.s.db.EstimateDiskUsage(lower, upper)
	if err != nil {
		return 0 // it is for the progress only
	}
	return n
}

func (c *checker) tell(more uint64) {
	if c.progress != nil {
		c.progress(min(c.done+more, c.total), c.total)
	}
}

func (c *checker) rowsOf(table byte) uint64 {
	for _, t := range c.report.Tables {
		if t.Table == table {
			return t.Rows
		}
	}
	return 0
}

// damage reports a row; key is without the byte of the table.
func (c *checker) damage(table byte, key []byte, err error) {
	c.report.Damaged++
	if len(c.report.Damages) < maxDamages {
		c.report.Damages = append(c.report.Damages, &CorruptionError{table, append([]byte{}, key...), err})
	}
}

// gap tells whether an anchor is in a gap in which lists may be missing, and in
// which bodies may be.
func (c *checker) gap(anchor uint64) (list, body bool) {
	g, ok := gapAt(c.gaps, anchor)
	return ok && g.Reason != GapTopic, ok
}

var errNoMessage = errors.New("there is no such message")

// lookAlong looks for keys in ascending order by an iterator that goes along, and
// again behind a stretch that cannot be read.
type lookAlong struct {
	from  pebble.Reader
	table byte
	f     *follower
}

// missing tells that there is surely no row with key.
func (l *lookAlong) missing(key []byte) bool {
	if l.f == nil {
		l.f = newFollower(l.from, l.table, false)
	}
	ok, err := l.f.find(key)
	if err != nil {
		l.close()
	}
	return err == nil && !ok
}

func (l *lookAlong) close() {
	l.f.close()
	l.f = nil
}
