package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/storage"
)

func mustCheck(t testing.TB, s *storage.Store) storage.CheckReport {
	t.Helper()
	report, err := s.Check(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// Every row is read and counted.
func TestCheck(t *testing.T) {
	fs := vfs.NewMem()
	c := newChain(t, 9)
	s := c.store(t, fs)
	p := pruning(4)
	p.Keep = func(r storage.Record) (bool, []byte, error) { return r.Message.Timestamp%7 == 0, []byte("proof"), nil }
	mustPrune(t, s, p)
	if _, err := s.DropTopic(t.Context(), "city/b", linkTime(8)); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	want := map[byte]uint64{}
	for k := range dump(t, fs) {
		want[k[0]]++
	}
	s = openFor(t, fs, dir)
	var last, whole uint64
	report, err := s.Check(t.Context(), func(done, total uint64) {
		if done < last || done > total {
			t.Errorf("%d of %d after %d", done, total, last)
		}
		last, whole = done, total
	})
	if err != nil || report.Damaged != 0 {
		t.Fatalf("check: %v, %v", err, report.Damages)
	}
	if last != whole {
		t.Errorf("ended at %d of %d", last, whole)
	}
	for _, rows := range report.Tables {
		if rows.Rows != want[rows.Table] {
			t.Errorf("%d rows of table %q, want %d", rows.Rows, rows.Table, want[rows.Table])
		}
		delete(want, rows.Table)
	}
	if len(want) > 0 {
		t.Errorf("tables not read: %v", want)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Check(ended, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("check: %v", err)
	}
}

// A table of damage to rows, and the row that is named for it.
func TestCheckFindsDamage(t *testing.T) {
	c := newChain(t, 6)
	l := c[2]
	id := func(i int) string { m := l.records[i].Message.ID(); return string(m[:]) }
	number := func(n byte) string { return string([]byte{0, 0, 0, n}) }
	row := func(table byte, index byte) string { return string(anchorRow(table, 3)) + number(index) }
	set := func(key, value string) func(*pebble.DB) error {
		return func(db *pebble.DB) error { return db.Set([]byte(key), []byte(value), pebble.Sync) }
	}
	remove := func(key string) func(*pebble.DB) error {
		return func(db *pebble.DB) error { return db.Delete([]byte(key), pebble.Sync) }
	}
	message := string(append(make([]byte, 8), l.records[1].Message.Bytes()...))
	for name, test := range map[string]struct {
		damage func(*pebble.DB) error
		rows   []string // the rows named, table and key
	}{
		"message_gone":       {remove("m" + id(1)), []string{"s" + id(1), "t" + number(1) + id(1), "i" + number(1) + id(1), "p", "vcount"}},
		"message_of_another": {set("m"+id(2), message), []string{"m" + id(2)}},
		"message_cut":        {set("m"+id(1), message[:len(message)-1]), []string{"m" + id(1)}},
		"message_more":       {set("m"+string(make([]byte, 40)), message), []string{"m" + string(make([]byte, 40)), "vcount"}},
		"topic_row_gone":     {remove("t" + number(1) + id(1)), []string{"m" + id(1)}},
		"topic_row_more":     {set("t"+number(2)+id(1), ""), []string{"t" + number(2) + id(1)}},
		"topic_row_cut":      {set("t"+number(2), ""), []string{"t" + number(2)}},
		"issuer_row_gone":    {remove("i" + number(1) + id(1)), []string{"m" + id(1)}},
		"issuer_row_more":    {set("i"+number(7)+id(1), ""), []string{"i" + number(7) + id(1)}},
		"final_gone":         {remove("s" + id(1)), []string{row('f', 1)}},
		"final_elsewhere":    {set("s"+id(1), string(anchorRow(0, 2)[1:])+number(0)+"\x01"), []string{"s" + id(1), row('f', 1)}},
		"final_above":        {set("s"+id(1), string(anchorRow(0, 9)[1:])+number(0)+"\x01"), []string{"s" + id(1), row('f', 1)}},
		"final_cut":          {set("s"+id(1), "x"), []string{"s" + id(1)}},
		"order_gone":         {remove(row('f', 1)), []string{"s" + id(1), row('f', 2)}},
		"order_end_gone":     {remove(row('f', 5)), []string{"s" + id(5)}},
		"order_outcome":      {set(row('f', 1), id(1)+"\x05"), []string{row('f', 1), "s" + id(1)}},
		"order_cut":          {set(row('f', 1), "x"), []string{row('f', 1), row('f', 2), "s" + id(1)}},
		"order_above":        {set(string(anchorRow('f', 9))+number(0), id(1)+"\x01"), []string{string(anchorRow('f', 9)) + number(0)}},
		"commitment_gone":    {remove(string(anchorRow('C', 3))), []string{string(anchorRow('C', 3))}},
		"last_gone":          {remove(string(anchorRow('C', 6))), []string{string(anchorRow('C', 6))}},
		"commitment_above":   {set(string(anchorRow('C', 7)), "x"), []string{string(anchorRow('C', 7))}},
		"pending_of_nothing": {set("p"+string(make([]byte, 40)), ""), []string{"p" + string(make([]byte, 40))}},
		"count":              {set("vcount", "\x00\x00\x00\x00\x00\x00\x00\x01"), []string{"vcount"}},
		"signatures_key":     {set("q", "x"), []string{"q"}},
		"node":               {set("h\x00"+string(anchorRow(0, 1)[1:]), "x"), []string{"h\x00" + string(anchorRow(0, 1)[1:])}},
		"account_key":        {set("b1", "x"), []string{"b1"}},
		"history":            {set("a"+strings.Repeat("x", 44), "x"), []string{"a" + strings.Repeat("x", 44)}},
		"unexpired_key":      {set("u1", "x"), []string{"u1"}},
		"transfer":           {set("x"+strings.Repeat("x", 32), "x"), []string{"x" + strings.Repeat("x", 32)}},
		"witness":            {set("w"+strings.Repeat("\x00", 12), "x"), []string{"w" + strings.Repeat("\x00", 12)}},
		"round_key":          {set("k1", ""), []string{"k1"}},
		"replaced":           {set("r"+strings.Repeat("x", 44), "x"), []string{"r" + strings.Repeat("x", 44)}},
		"held_key":           {set("y1", "x"), []string{"y1"}},
	} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMem()
			s := c.store(t, fs)
			// One of the messages waits still.
			mustCommit(t, s, []storage.Record{})
			mustClose(t, s)
			withPebble(t, fs, dir, test.damage)
			s, err := storage.Open(dir, network, storage.Options{FS: fs})
			if err != nil {
				if name != "witness" && name != "replaced" {
					t.Fatal(err)
				}
				return
			}
			defer mustClose(t, s)
			report := mustCheck(t, s)
			var named []string
			for _, d := range report.Damages {
				named = append(named, string(d.Table)+string(d.Key))
			}
			want := slices.DeleteFunc(slices.Clone(test.rows), func(row string) bool { return row == "p" })
			slices.Sort(named)
			slices.Sort(want)
			if !slices.Equal(named, want) || report.Damaged != uint64(len(want)) {
				t.Errorf("damages %q, want %q\n%v", named, want, report.Damages)
			}
		})
	}
}

// No more than a hundred damages are listed, and all are counted.
func TestCheckManyDamages(t *testing.T) {
	fs := vfs.NewMem()
	mustClose(t, mustOpen(t, fs, dir))
	withPebble(t, fs, dir, func(db *pebble.DB) error {
		b := db.NewBatch()
		for i := range 250 {
			_ = b.Set(fmt.Appendf(nil, "q%d", i), nil, nil)
		}
		return db.Apply(b, pebble.Sync)
	})
	report := mustCheck(t, openFor(t, fs, dir))
	if report.Damaged != 250 || len(report.Damages) != 100 {
		t.Errorf("%d damages, %d of them listed", report.Damaged, len(report.Damages))
	}
}

// flipInTables flips a byte in the middle of the largest table file.
func flipInTables(t *testing.T, fs vfs.FS, at float64) {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	var largest string
	var size int64
	for _, name := range names {
		info, err := fs.Stat(fs.PathJoin(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".sst") && info.Size() > size {
			largest, size = fs.PathJoin(dir, name), info.Size()
		}
	}
	f, err := fs.OpenReadWrite(largest, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	b := []byte{0}
	offset := int64(float64(size) * at)
	if _, err := f.ReadAt(b, offset); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0x10
	if _, err := f.WriteAt(b, offset); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// Blocks that do not match their checksums are named, and the rows behind them are
// read; nothing else is taken for damaged because of them.
func TestCheckUnreadableBlock(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, fs, dir)
	const n = 2_000
	var records []storage.Record
	f := storage.Finality{Anchor: 1}
	for i := range n {
		content := bytes.Repeat(fmt.Append(nil, i), 60)
		r := newRecord(t, byte(i%5), uint64(1_000+i), fmt.Sprintf("topic/%d", i%7), content)
		records = append(records, r)
		f.Included = append(f.Included, storage.FinalMessage{ID: r.Message.ID(), Outcome: included})
	}
	mustCommit(t, s, records)
	if err := s.Finalise(f); err != nil {
		t.Fatal(err)
	}
	if err := s.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	flipInTables(t, fs, 0.5)
	flipInTables(t, fs, 0.7)
	s = openFor(t, fs, dir)
	report := mustCheck(t, s)
	if report.Damaged != 2 {
		t.Fatalf("%d damages: %v", report.Damaged, report.Damages)
	}
	lost := uint64(0)
	for _, d := range report.Damages {
		if d.Table != 'm' || len(d.Key) != 40 || !strings.Contains(d.Error(), "unreadable from behind this key to ") {
			t.Errorf("damage %v", d)
		}
	}
	for _, rows := range report.Tables {
		if rows.Table == 'm' {
			lost = n - rows.Rows
		} else if (rows.Table == 's' || rows.Table == 'i' || rows.Table == 't') && rows.Rows != n {
			t.Errorf("%d rows of table %q", rows.Rows, rows.Table)
		}
	}
	if lost == 0 || lost > 400 {
		t.Errorf("%d messages could not be read", lost)
	}
	// Single bodies can be had again.
	restored := 0
	for _, r := range records {
		if _, err := s.Get(r.Message.ID()); err == nil {
			continue
		}
		if err := s.Restore(r); err != nil {
			t.Fatal(err)
		}
		got, err := s.Get(r.Message.ID())
		if err != nil {
			t.Fatal(err)
		}
		sameRecords(t, "restored", []storage.Record{got}, []storage.Record{r})
		restored++
	}
	if uint64(restored) != lost || s.Count() != n {
		t.Errorf("%d restored of %d, count %d", restored, lost, s.Count())
	}
}

// A body that is gone or damaged is written anew and found in every way; it is
// counted once.
func TestRestore(t *testing.T) {
	c := newChain(t, 8)
	r := c[3].records[1] // topic city/a
	id := r.Message.ID()
	for name, damage := range map[string]func(*pebble.DB) error{
		"gone":    func(db *pebble.DB) error { return db.Delete(messageRow(id), pebble.Sync) },
		"damaged": func(db *pebble.DB) error { return db.Set(messageRow(id), []byte("x"), pebble.Sync) },
		"whole":   func(*pebble.DB) error { return nil },
	} {
		fs := vfs.NewMem()
		mustClose(t, c.store(t, fs))
		withPebble(t, fs, dir, damage)
		s := openFor(t, fs, dir)
		if err := s.Restore(r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		c.verify(t, s)
	}
	s := openFor(t, vfs.NewMem(), dir)
	c.tell(t, s, 1)
	if _, err := s.DropTopic(t.Context(), "city/a", linkTime(7)); err != nil {
		t.Fatal(err)
	}
	count := s.Count()
	for range 2 {
		if err := s.Restore(r); err != nil || s.Count() != count+1 {
			t.Errorf("of a dropped topic: %v, count %d after %d", err, s.Count(), count)
		}
	}
	if got := gapsOf(t, s); got != "1-6 topic " {
		t.Errorf("gaps %q", got)
	}
	for id := range s.Pending(linkTime(4), linkTime(4)+1) {
		t.Errorf("%v is pending", id)
	}
	c.verify(t, s)
	if err := s.Restore(c[0].stale[0]); err == nil || s.Err() != nil {
		t.Errorf("a message that is not final: %v, %v", err, s.Err())
	}
}
