package parts_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"tangled/bench/parts"
)

func options(t *testing.T, messages int) parts.Options {
	return parts.Options{Dir: t.TempDir(), Messages: messages}
}

// wantKeys checks that a result is one JSON object with these keys and no others.
func wantKeys(t *testing.T, result any, keys ...string) {
	t.Helper()
	encoded, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	var has map[string]any
	if err := json.Unmarshal(encoded, &has); err != nil {
		t.Fatal(err)
	}
	var got []string
	for key := range has {
		got = append(got, key)
	}
	slices.Sort(got)
	slices.Sort(keys)
	if !slices.Equal(got, keys) {
		t.Errorf("keys %v, want %v", got, keys)
	}
}

func TestSync(t *testing.T) {
	o := options(t, 500)
	steps := make(map[string]uint64)
	o.Progress = func(step string, done, total uint64) {
		if total > 0 && done > total {
			t.Errorf("%s: %d of %d", step, done, total)
		}
		steps[step] = max(steps[step], done)
	}
	r, err := parts.Sync(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	// Every reading is final, and between them are witnesses.
	if r.Readings != 500 || r.Messages <= 500 || r.Anchors == 0 || len(r.Commitment) != 64 {
		t.Errorf("%+v", r)
	}
	if r.Bytes < 500*256 || r.Seconds <= 0 || r.MessagesPerSecond <= 0 || r.SignaturesVerified || r.Seats != 1 {
		t.Errorf("%+v", r)
	}
	if steps["finality"] != 500 || steps["sync"] != r.Anchors {
		t.Errorf("progress %v", steps)
	}
	wantKeys(t, r, "messages", "readings", "anchors", "bytes", "seconds", "messages_per_second", "build_seconds",
		"commitment", "verified", "signatures_verified", "seats", "cores")
}

func TestPrune(t *testing.T) {
	const n = 6_000 // more than an anchor
	r, err := parts.Prune(t.Context(), options(t, n))
	if err != nil {
		t.Fatal(err)
	}
	if r.Messages != n || r.Pruned != n*9/10 || r.Anchors != 1 {
		t.Errorf("%+v", r)
	}
	if r.DiskAfter == 0 || r.DiskAfter*5 > r.DiskBefore || r.ShareBack < 0.8 || r.ShareBack > 1.2 {
		t.Errorf("%d of %d bytes stayed, %v came back", r.DiskAfter, r.DiskBefore, r.ShareBack)
	}
	wantKeys(t, r, "messages", "pruned", "anchors", "seconds", "compact_seconds", "disk_before", "disk_after",
		"share_back", "fill_seconds", "cores")
}

func TestStore(t *testing.T) {
	const n = 6_000
	r, err := parts.Store(t.Context(), options(t, n))
	if err != nil {
		t.Fatal(err)
	}
	if r.Messages != n || r.Anchors != 2 || len(r.Steps) < 4 || r.Steps[len(r.Steps)-1].Messages > n {
		t.Errorf("%+v", r)
	}
	if r.EncodedBytes < 256 || r.BytesPerMessage < 256 || r.WriteAmplification < 1 || r.LastToFirst <= 0 {
		t.Errorf("%+v", r)
	}
	wantKeys(t, r, "messages", "anchors", "seconds", "messages_per_second", "steps", "last_to_first", "encoded_bytes",
		"bytes_per_message", "write_amplification", "compact_seconds", "batch", "cores")
}

func TestQuery(t *testing.T) {
	r, err := parts.Query(t.Context(), options(t, 600))
	if err != nil {
		t.Fatal(err)
	}
	if r.Messages != 600 || r.Topics != 600 || r.HistoryPerSecond <= 0 || r.Looks == 0 {
		t.Errorf("%+v", r)
	}
	if r.Newest.P50 > r.Newest.P99 || r.Recent.P50 > r.Recent.P99 || r.Cold.P50 > r.Cold.P99 || r.Cold.P50 <= 0 {
		t.Errorf("%+v", r)
	}
	wantKeys(t, r, "messages", "topics", "newest_100_ms", "history_messages_per_second", "recent_by_id_ms",
		"cold_by_id_ms", "looks", "fill_seconds", "cores")
}

func TestPow(t *testing.T) {
	r, err := parts.Pow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, k := range r.Kernels {
		names = append(names, k.Name)
		if k.Available != (k.HashesPerSecond > 0) || k.Cores != 1 || k.Lanes < 1 {
			t.Errorf("%+v", k)
		}
		if k.Name == r.Chosen && !k.Available {
			t.Errorf("chosen and not available: %+v", k)
		}
	}
	if got := strings.Join(names, " "); got != "sum256 portable avx2 avx512" || !slices.Contains(names[1:], r.Chosen) {
		t.Errorf("kernels %s, chosen %s", got, r.Chosen)
	}
	wantKeys(t, r, "kernels", "chosen")
	wantKeys(t, r.Kernels[0], "name", "lanes", "cores", "hashes_per_second", "available")
}

func TestVerify(t *testing.T) {
	r, err := parts.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Ways) != 6 || r.Ways[0].Batch != 1 || r.Ways[0].KnownKeys || r.Ways[0].Speedup != 1 {
		t.Fatalf("%+v", r)
	}
	for _, w := range r.Ways {
		if w.PerMessage <= 0 || w.PerSecond <= 0 || w.Speedup <= 0 {
			t.Errorf("%+v", w)
		}
	}
	wantKeys(t, r, "ways", "cores")
	wantKeys(t, r.Ways[0], "batch", "known_keys", "us_per_message", "messages_per_second", "speedup")
}

func TestTips(t *testing.T) {
	r, err := parts.Tips(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Tips != 10_000 || r.Parents < 2 || r.Parents > 8 || r.PerMessage <= 0 {
		t.Errorf("%+v", r)
	}
	wantKeys(t, r, "tips", "rounds", "parents", "us_per_message")
}

// stored are the parts that fill a folder.
func stored() map[string]func(context.Context, parts.Options) error {
	return map[string]func(context.Context, parts.Options) error{
		"sync":  func(ctx context.Context, o parts.Options) error { _, err := parts.Sync(ctx, o); return err },
		"prune": func(ctx context.Context, o parts.Options) error { _, err := parts.Prune(ctx, o); return err },
		"store": func(ctx context.Context, o parts.Options) error { _, err := parts.Store(ctx, o); return err },
		"query": func(ctx context.Context, o parts.Options) error { _, err := parts.Query(ctx, o); return err },
	}
}

func TestWrongOptions(t *testing.T) {
	for name, run := range stored() {
		if err := run(t.Context(), parts.Options{Messages: 1_000}); err == nil {
			t.Errorf("%s runs without a folder", name)
		}
		if err := run(t.Context(), options(t, parts.LeastMessages-1)); err == nil {
			t.Errorf("%s runs with too few messages", name)
		}
	}
}

// Interrupting a part ends it with the context's error, whatever it is at.
func TestInterrupt(t *testing.T) {
	for name, run := range stored() {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			o := options(t, 100_000_000) // more than fits on the disk
			o.Progress = func(string, uint64, uint64) { cancel() }
			if err := run(ctx, o); !errors.Is(err, context.Canceled) {
				t.Errorf("interrupted: %v", err)
			}
		})
	}
	for name, run := range map[string]func(context.Context) error{
		"pow":    func(ctx context.Context) error { _, err := parts.Pow(ctx); return err },
		"verify": func(ctx context.Context) error { _, err := parts.Verify(ctx); return err },
		"tips":   func(ctx context.Context) error { _, err := parts.Tips(ctx); return err },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
