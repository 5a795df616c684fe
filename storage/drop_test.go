package storage_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/storage"
)

// The old bodies of a topic go, and all that leads to them; where they became final
// stays.
func TestDropTopic(t *testing.T) {
	c := newChain(t, 12)
	fs := vfs.NewMem()
	s := c.store(t, fs)
	for _, test := range []struct {
		topic  string
		before uint64
		gaps   string
	}{
		{"nobody", linkTime(9), ""},
		{"city/b", linkTime(1), ""},
		{"city/stale", linkTime(4), ""}, // never final
		{"city/b", linkTime(4), "1-3 topic "},
		{"city/b", linkTime(4), "1-3 topic "},
		{"city/late", linkTime(4), "1-5 topic "}, // in the anchors two later
		{"city/a", linkTime(8), "1-7 topic "},
	} {
		var kept model
		gone := []storage.Record{}
		for r := range s.LoadFrom(t.Context(), 0) {
			data, _ := r.Message.Data()
			if r.Final = nil; data.Topic == test.topic && r.Message.Timestamp < test.before {
				gone = append(gone, r)
			} else {
				kept = append(kept, r)
			}
		}
		done, err := s.DropTopic(t.Context(), test.topic, test.before)
		if err != nil || done != (storage.Pruned{Messages: uint64(len(gone)), Bytes: sizeOf(gone)}) {
			t.Errorf("%s: %+v, %v, want %d messages", test.topic, done, err, len(gone))
		}
		if got := gapsOf(t, s); got != test.gaps || s.ListsFrom() != 1 {
			t.Errorf("%s: gaps %q, want %q", test.topic, got, test.gaps)
		}
		kept.verify(t, s)
		c.verify(t, s)
		mustClose(t, s)
		s = mustOpen(t, fs, dir)
	}
	for id := range s.Pending(0, math.MaxInt64) {
		if !s.Has(id) {
			t.Errorf("%v is pending", id)
		}
	}
	for _, l := range c {
		if has, err := s.Included(l.Anchor); err != nil || len(has) != len(l.Included) {
			t.Errorf("list of anchor %d: %d messages, %v", l.Anchor, len(has), err)
		}
		for _, m := range l.Included {
			if _, ok, err := s.Final(m.ID); !ok || err != nil {
				t.Errorf("%v is not final: %v", m.ID, err)
			}
		}
	}
	// A body that comes again does not wait to be final.
	again := c[0].records[0]
	mustCommit(t, s, []storage.Record{again})
	for id := range s.Pending(0, linkTime(2)-1) {
		if id == again.Message.ID() {
			t.Error("a final message is pending")
		}
	}
	mustClose(t, s)
}

// A topic of many batches.
func TestDropManyOfATopic(t *testing.T) {
	s := openFor(t, vfs.NewMem(), dir)
	var records []storage.Record
	for i := range 4_500 {
		records = append(records, newRecord(t, 1, uint64(1_000+i), fmt.Sprintf("topic/%d", i%40/39), nil))
	}
	mustCommit(t, s, records)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if done, err := s.DropTopic(ctx, "topic/0", 9_000); !errors.Is(err, context.Canceled) || done.Messages != 0 {
		t.Errorf("%+v, %v", done, err)
	}
	done, err := s.DropTopic(t.Context(), "topic/0", 5_490)
	if err != nil || done.Messages != 4_378 {
		t.Errorf("%+v, %v", done, err)
	}
	var want model
	for i, r := range records {
		if i%40 == 39 || r.Message.Timestamp >= 5_490 {
			want = append(want, r)
		}
	}
	want.verify(t, s)
}
