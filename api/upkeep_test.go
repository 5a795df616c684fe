package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/node"
	"tangled/snapshot"
	"tangled/storage"
)

// fakeUpkeep answers what a test wants, and remembers what it was asked.
type fakeUpkeep struct {
	err      error
	anchor   uint64
	peer     peer.ID
	prune    node.PruneRequest
	path     string
	report   node.PruneReport
	audit    node.AuditReport
	checked  storage.CheckReport
	snapshot node.SnapshotInfo
	// steps is how often long work tells of its progress, a second apart; then it
	// goes on until it is called off if it is endless.
	steps   int
	endless bool
	ended   chan error // told the context's when endless work ends; has room
}

func (u *fakeUpkeep) work(ctx context.Context, progress func(done, total uint64)) error {
	for i := range u.steps {
		progress(uint64(i+1), uint64(u.steps))
		time.Sleep(time.Second)
	}
	if u.endless {
		<-ctx.Done()
		u.ended <- ctx.Err()
		return ctx.Err()
	}
	return u.err
}

func (u *fakeUpkeep) CreateSnapshot(_ context.Context, anchor uint64) (node.SnapshotInfo, error) {
	u.anchor = anchor
	return u.snapshot, u.err
}

func (u *fakeUpkeep) Snapshots() ([]node.SnapshotInfo, error) {
	return []node.SnapshotInfo{{Path: "/s/1", Size: 5, Anchor: 1}, {Path: "/s/2", Size: 6, Anchor: 2}}, u.err
}

func (u *fakeUpkeep) FetchSnapshot(ctx context.Context, from peer.ID, progress func(done, total uint64)) (node.SnapshotInfo, error) {
	u.peer = from
	return u.snapshot, u.work(ctx, progress)
}

func (u *fakeUpkeep) Prune(ctx context.Context, req node.PruneRequest) (node.PruneReport, error) {
	u.prune = req
	return u.report, u.work(ctx, func(done, total uint64) { req.Progress(float64(done) / float64(total)) })
}

func (u *fakeUpkeep) Gaps() ([]storage.Gap, error) {
	return []storage.Gap{{First: 1, Last: 7, Reason: storage.GapNever}, {First: 9, Last: 9, Reason: storage.GapTopic}}, u.err
}

func (u *fakeUpkeep) CompleteFrom() uint64 { return 10 }

func (u *fakeUpkeep) Audit(ctx context.Context, of peer.ID, progress func(done, total uint64)) (node.AuditReport, error) {
	u.peer = of
	return u.audit, u.work(ctx, progress)
}

func (u *fakeUpkeep) Backup(_ context.Context, dir string) error { u.path = dir; return u.err }

func (u *fakeUpkeep) CheckStore(ctx context.Context, progress func(done, total uint64)) (storage.CheckReport, error) {
	return u.checked, u.work(ctx, progress)
}

// upkeepBubble is bubble with an UpkeepService that works on a fake.
func upkeepBubble(t *testing.T, test func(t *testing.T, f *fixture, u *fakeUpkeep, client tangledv1.UpkeepServiceClient)) {
	u := &fakeUpkeep{}
	bubble(t, Options{upkeep: u}, func(t *testing.T, f *fixture) { test(t, f, u, tangledv1.NewUpkeepServiceClient(f.conn)) })
}

const somePeer = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"

func TestSnapshots(t *testing.T) {
	upkeepBubble(t, func(t *testing.T, _ *fixture, u *fakeUpkeep, client tangledv1.UpkeepServiceClient) {
		u.snapshot = node.SnapshotInfo{Path: "/s/7", Size: 99, Anchor: 7, Time: 5, Commitment: [32]byte{1}, Digest: [32]byte{2}, Accounts: 3, Anchors: 4, Messages: 6}
		reply, err := client.CreateSnapshot(t.Context(), &tangledv1.CreateSnapshotRequest{Anchor: 7})
		if err != nil {
			t.Fatal(err)
		}
		s := reply.Snapshot
		if u.anchor != 7 || s.Path != "/s/7" || s.Size != 99 || s.Anchor != 7 || s.LedgerTimeNs != 5 || s.Commitment[0] != 1 || s.Digest[0] != 2 ||
			s.Accounts != 3 || s.Anchors != 4 || s.Messages != 6 {
			t.Errorf("snapshot %v of anchor %d", s, u.anchor)
		}
		list, err := client.ListSnapshots(t.Context(), &tangledv1.ListSnapshotsRequest{})
		if err != nil || len(list.Snapshots) != 2 || list.Snapshots[1].Anchor != 2 || list.Snapshots[1].Size != 6 || list.Snapshots[0].Digest != nil {
			t.Errorf("list %v, %v", list, err)
		}
		u.err = node.ErrPassed
		_, err = client.CreateSnapshot(t.Context(), &tangledv1.CreateSnapshotRequest{Anchor: 1})
		wantError(t, "an anchor that passed", err, codes.FailedPrecondition, "PASSED")
	})
	bubbleOn(t, seatlessGenesis, Options{upkeep: &fakeUpkeep{}}, func(t *testing.T, f *fixture) {
		_, err := tangledv1.NewUpkeepServiceClient(f.conn).CreateSnapshot(t.Context(), &tangledv1.CreateSnapshotRequest{})
		wantError(t, "a snapshot where nothing becomes final", err, codes.FailedPrecondition, "NO_COMMITTEE")
	})
}

func TestFetchSnapshot(t *testing.T) {
	upkeepBubble(t, func(t *testing.T, f *fixture, u *fakeUpkeep, client tangledv1.UpkeepServiceClient) {
		u.steps, u.snapshot = 3, node.SnapshotInfo{Anchor: 7}
		stream, err := client.FetchSnapshot(t.Context(), &tangledv1.FetchSnapshotRequest{PeerId: somePeer})
		steps, err := collect(t, stream, err)
		if err != nil {
			t.Fatal(err)
		}
		last := steps[len(steps)-1]
		if u.peer.String() != somePeer || last.GetSnapshot().GetAnchor() != 7 {
			t.Errorf("fetched %v of %v", last, u.peer)
		}
		if len(steps) != 4 || steps[1].GetProgress().GetDone() != 2 || steps[1].GetProgress().GetTotal() != 3 {
			t.Errorf("steps %v, want the progress of each of 3 and a snapshot", steps)
		}
		// What the peer gave is not this node's fault, and so is not logged.
		u.err = &snapshot.InvalidError{Reason: snapshot.ReasonState, Err: errors.New("other accounts")}
		stream, err = client.FetchSnapshot(t.Context(), &tangledv1.FetchSnapshotRequest{PeerId: somePeer})
		_, err = collect(t, stream, err)
		wantError(t, "a snapshot that does not verify", err, codes.FailedPrecondition, "PEER_DATA")
		for _, id := range []string{"", "me", strings.Repeat("1", 200)} {
			stream, err = client.FetchSnapshot(t.Context(), &tangledv1.FetchSnapshotRequest{PeerId: id})
			_, err = collect(t, stream, err)
			wantError(t, "peer "+id, err, codes.InvalidArgument, "PEER")
		}
	})
}

func TestPrune(t *testing.T) {
	upkeepBubble(t, func(t *testing.T, _ *fixture, u *fakeUpkeep, client tangledv1.UpkeepServiceClient) {
		prune := func(req *tangledv1.PruneRequest) ([]*tangledv1.PruneResponse, error) {
			stream, err := client.Prune(t.Context(), req)
			return collect(t, stream, err)
		}
		u.steps = 2
		u.report = node.PruneReport{
			Before: time.Unix(0, 77), Snapshot: 1, Anchors: 2, Messages: 3, Bytes: 4, Kept: 5, DiskBefore: 6, DiskAfter: 7, CompleteFrom: 8,
			Topics: []node.TopicUse{{Topic: "b", Messages: 1, Bytes: 1}, {Topic: "c", Messages: 1, Bytes: 9}, {Topic: "a", Messages: 1, Bytes: 1}},
		}
		steps, err := prune(&tangledv1.PruneRequest{BeforeNs: 77, DryRun: true})
		if err != nil {
			t.Fatal(err)
		}
		if !u.prune.Before.Equal(time.Unix(0, 77)) || u.prune.ToSize != 0 || !u.prune.DryRun {
			t.Errorf("asked for %+v", u.prune)
		}
		if p := steps[0].GetProgress(); p.GetDone() != 500 || p.GetTotal() != 1000 {
			t.Errorf("progress %v, want the half", p)
		}
		r := steps[len(steps)-1].GetReport()
		if r.BeforeNs != 77 || r.Snapshot != 1 || r.Anchors != 2 || r.Messages != 3 || r.Bytes != 4 || r.Kept != 5 || r.DiskBefore != 6 ||
			r.DiskAfter != 7 || r.CompleteFrom != 8 || !r.DryRun || r.MoreTopics {
			t.Errorf("report %v", r)
		}
		if len(r.Topics) != 3 || r.Topics[0].Topic != "c" || r.Topics[1].Topic != "a" || r.Topics[0].Bytes != 9 {
			t.Errorf("topics %v, want those with the most bytes first", r.Topics)
		}
		// Two million topics must fit a reply.
		u.report.Topics = make([]node.TopicUse, maxTopics+1)
		if steps, err = prune(&tangledv1.PruneRequest{ToSize: 5}); err != nil || u.prune.ToSize != 5 || !u.prune.Before.IsZero() {
			t.Fatalf("asked for %+v: %v", u.prune, err)
		}
		if r := steps[len(steps)-1].GetReport(); len(r.Topics) != maxTopics || !r.MoreTopics {
			t.Errorf("%d topics, more: %v", len(r.Topics), r.MoreTopics)
		}
		for _, req := range []*tangledv1.PruneRequest{{}, {BeforeNs: 1, ToSize: 1}} {
			_, err := prune(req)
			wantError(t, "half a request", err, codes.InvalidArgument, "PRUNE")
		}
		for reason, err := range map[string]error{"FOREVER": node.ErrForever, "TOO_RECENT": node.ErrTooRecent, "BUSY": node.ErrBusy} {
			u.err = fmt.Errorf("%w: and more", err)
			_, got := prune(&tangledv1.PruneRequest{BeforeNs: 1})
			wantError(t, reason, got, codes.FailedPrecondition, reason)
		}
	})
}

func TestListGaps(t *testing.T) {
	upkeepBubble(t, func(t *testing.T, f *fixture, _ *fakeUpkeep, client tangledv1.UpkeepServiceClient) {
		f.fill(3, 10)
		f.settle()
		reply, err := client.ListGaps(t.Context(), &tangledv1.ListGapsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if reply.CompleteFrom != 10 || reply.Last == 0 || reply.Last != f.info().Anchor || len(reply.Gaps) != 2 ||
			reply.Gaps[0].Last != 7 || reply.Gaps[0].Reason != "never" || reply.Gaps[1].First != 9 || reply.Gaps[1].Reason != "topic" {
			t.Errorf("gaps %v", reply)
		}
	})
}

func TestAudit(t *testing.T) {
	upkeepBubble(t, func(t *testing.T, _ *fixture, u *fakeUpkeep, client tangledv1.UpkeepServiceClient) {
		u.audit = node.AuditReport{First: 1, Last: 9, Messages: 5, More: true, Differ: []node.Difference{{Anchor: 3, There: "lost"}, {Anchor: 4, Here: "bad"}}}
		stream, err := client.Audit(t.Context(), &tangledv1.AuditRequest{PeerId: somePeer})
		steps, err := collect(t, stream, err)
		if err != nil {
			t.Fatal(err)
		}
		r := steps[len(steps)-1].GetReport()
		if r.First != 1 || r.Last != 9 || r.Messages != 5 || !r.More || len(r.Differ) != 2 || r.Differ[0].Anchor != 3 || r.Differ[0].There != "lost" || r.Differ[1].Here != "bad" {
			t.Errorf("report %v", r)
		}
		u.err = node.ErrNoPeer
		stream, err = client.Audit(t.Context(), &tangledv1.AuditRequest{PeerId: somePeer})
		_, err = collect(t, stream, err)
		wantError(t, "a peer that is away", err, codes.NotFound, "")
	})
}

func TestBackup(t *testing.T) {
	upkeepBubble(t, func(t *testing.T, _ *fixture, u *fakeUpkeep, client tangledv1.UpkeepServiceClient) {
		if _, err := client.Backup(t.Context(), &tangledv1.BackupRequest{Path: "/b/1"}); err != nil || u.path != "/b/1" {
			t.Errorf("backup to %q: %v", u.path, err)
		}
		for _, path := range []string{"", "b/1", "/" + strings.Repeat("x", maxPathSize)} {
			_, err := client.Backup(t.Context(), &tangledv1.BackupRequest{Path: path})
			wantError(t, "a path that is none", err, codes.InvalidArgument, "PATH")
		}
		for _, fault := range []error{fs.ErrExist, fs.ErrPermission, &fs.PathError{Op: "mkdir", Path: "/b/1", Err: fs.ErrNotExist}} {
			u.err = fmt.Errorf("back up: %w", fault)
			_, err := client.Backup(t.Context(), &tangledv1.BackupRequest{Path: "/b/1"})
			wantError(t, fault.Error(), err, codes.InvalidArgument, "PATH")
		}
	})
}

func TestCheckStore(t *testing.T) {
	upkeepBubble(t, func(t *testing.T, _ *fixture, u *fakeUpkeep, client tangledv1.UpkeepServiceClient) {
		u.checked = storage.CheckReport{
			Tables: []storage.TableRows{{Table: 'm', Rows: 9}}, Damaged: 7,
			Damages: []*storage.CorruptionError{{Table: 's', Key: []byte{1, 2}, Err: errors.New("torn")}},
		}
		stream, err := client.CheckStore(t.Context(), &tangledv1.CheckStoreRequest{})
		steps, err := collect(t, stream, err)
		if err != nil {
			t.Fatal(err)
		}
		r := steps[len(steps)-1].GetReport()
		if len(r.Tables) != 1 || r.Tables[0].Table != "m" || r.Tables[0].Rows != 9 || r.Total != 7 || len(r.Damages) != 1 ||
			r.Damages[0].Table != "s" || !bytes.Equal(r.Damages[0].Key, []byte{1, 2}) || r.Damages[0].Error != "torn" {
			t.Errorf("report %v", r)
		}
	})
}

// TestUpkeepIsCalledOff: work ends with the client that asked for it, and with the
// server.
func TestUpkeepIsCalledOff(t *testing.T) {
	upkeepBubble(t, func(t *testing.T, f *fixture, u *fakeUpkeep, client tangledv1.UpkeepServiceClient) {
		u.steps, u.endless, u.ended = 1, true, make(chan error, 2)
		open := func(ctx context.Context) grpc.ServerStreamingClient[tangledv1.CheckStoreResponse] {
			stream, err := client.CheckStore(ctx, &tangledv1.CheckStoreRequest{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := stream.Recv(); err != nil {
				t.Fatal(err)
			}
			return stream
		}
		ctx, cancel := context.WithCancel(t.Context())
		open(ctx)
		cancel()
		if err := <-u.ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the work ended with %v", err)
		}
		stream := open(t.Context())
		if err := f.server.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err := stream.Recv()
		wantError(t, "a closing server", err, codes.Unavailable, "")
	})
}
