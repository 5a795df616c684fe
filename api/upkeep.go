package api

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/grpc"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/node"
	"tangled/snapshot"
	"tangled/storage"
)

const (
	// maxTopics bounds the topics of a PruneReport, so that it fits a reply.
	maxTopics = 10_000
	// maxPathSize is the longest path that Linux takes.
	maxPathSize = 4096
)

// upkeep is what an operator asks of a node that it does not do for others.
type upkeep interface {
	CreateSnapshot(ctx context.Context, anchor uint64) (node.SnapshotInfo, error)
	Snapshots() ([]node.SnapshotInfo, error)
	FetchSnapshot(ctx context.Context, from peer.ID, progress func(done, total uint64)) (node.SnapshotInfo, error)
	Prune(ctx context.Context, req node.PruneRequest) (node.PruneReport, error)
	Gaps() ([]storage.Gap, error)
	CompleteFrom() uint64
	Audit(ctx context.Context, of peer.ID, progress func(done, total uint64)) (node.AuditReport, error)
	Backup(ctx context.Context, dir string) error
	CheckStore(ctx context.Context, progress func(done, total uint64)) (storage.CheckReport, error)
}

// upkeepOf is what the UpkeepService works on.
func upkeepOf(n *node.Node, opts Options) upkeep {
	if opts.upkeep != nil {
		return opts.upkeep
	}
	return n
}

// upkeepService is tangled.v1.UpkeepService.
type upkeepService struct {
	tangledv1.UnimplementedUpkeepServiceServer
	*Server
}

func (s upkeepService) CreateSnapshot(ctx context.Context, req *tangledv1.CreateSnapshotRequest) (*tangledv1.CreateSnapshotResponse, error) {
	if err := s.finalises(); err != nil {
		return nil, err
	}
	info, err := s.upkeep.CreateSnapshot(ctx, req.GetAnchor())
	if err != nil {
		return nil, err
	}
	return &tangledv1.CreateSnapshotResponse{Snapshot: protoSnapshot(info)}, nil
}

func (s upkeepService) ListSnapshots(context.Context, *tangledv1.ListSnapshotsRequest) (*tangledv1.ListSnapshotsResponse, error) {
	infos, err := s.upkeep.Snapshots()
	if err != nil {
		return nil, err
	}
	reply := &tangledv1.ListSnapshotsResponse{}
	for _, info := range infos {
		reply.Snapshots = append(reply.Snapshots, protoSnapshot(info))
	}
	return reply, nil
}

func (s upkeepService) FetchSnapshot(req *tangledv1.FetchSnapshotRequest, stream grpc.ServerStreamingServer[tangledv1.FetchSnapshotResponse]) error {
	from, err := parsePeerID(req.GetPeerId())
	if err != nil {
		return err
	}
	var info node.SnapshotInfo
	err = tellProgress(stream.Context(), func(p *tangledv1.Progress) error {
		return stream.Send(&tangledv1.FetchSnapshotResponse{Step: &tangledv1.FetchSnapshotResponse_Progress{Progress: p}})
	}, func(ctx context.Context, progress func(done, total uint64)) (err error) {
		info, err = s.upkeep.FetchSnapshot(ctx, from, progress)
		return err
	})
	if as[*snapshot.InvalidError](err) {
		return &peerDataError{err}
	}
	if err != nil {
		return err
	}
	return stream.Send(&tangledv1.FetchSnapshotResponse{Step: &tangledv1.FetchSnapshotResponse_Snapshot{Snapshot: protoSnapshot(info)}})
}

func (s upkeepService) Prune(req *tangledv1.PruneRequest, stream grpc.ServerStreamingServer[tangledv1.PruneResponse]) error {
	if (req.GetBeforeNs() == 0) == (req.GetToSize() == 0) {
		return argumentf("PRUNE", "want one of before_ns and to_size")
	}
	var report node.PruneReport
	err := tellProgress(stream.Context(), func(p *tangledv1.Progress) error {
		return stream.Send(&tangledv1.PruneResponse{Step: &tangledv1.PruneResponse_Progress{Progress: p}})
	}, func(ctx context.Context, progress func(done, total uint64)) (err error) {
		report, err = s.upkeep.Prune(ctx, node.PruneRequest{
			Before: timeOf(req.GetBeforeNs()), ToSize: req.GetToSize(), DryRun: req.GetDryRun(),
			Progress: func(done float64) { progress(uint64(done*1000), 1000) },
		})
		return err
	})
	if err != nil {
		return err
	}
	return stream.Send(&tangledv1.PruneResponse{Step: &tangledv1.PruneResponse_Report{Report: protoPruned(report, req.GetDryRun())}})
}

func (s upkeepService) ListGaps(ctx context.Context, _ *tangledv1.ListGapsRequest) (*tangledv1.ListGapsResponse, error) {
	gaps, err := s.upkeep.Gaps()
	if err != nil {
		return nil, err
	}
	info, err := s.node.Info(ctx)
	if err != nil {
		return nil, err
	}
	reply := &tangledv1.ListGapsResponse{CompleteFrom: s.upkeep.CompleteFrom(), Last: info.Anchor}
	for _, g := range gaps {
		reply.Gaps = append(reply.Gaps, &tangledv1.Gap{First: g.First, Last: g.Last, Reason: g.Reason.String()})
	}
	return reply, nil
}

func (s upkeepService) Audit(req *tangledv1.AuditRequest, stream grpc.ServerStreamingServer[tangledv1.AuditResponse]) error {
	of, err := parsePeerID(req.GetPeerId())
	if err != nil {
		return err
	}
	var report node.AuditReport
	err = tellProgress(stream.Context(), func(p *tangledv1.Progress) error {
		return stream.Send(&tangledv1.AuditResponse{Step: &tangledv1.AuditResponse_Progress{Progress: p}})
	}, func(ctx context.Context, progress func(done, total uint64)) (err error) {
		report, err = s.upkeep.Audit(ctx, of, progress)
		return err
	})
	if err != nil {
		return err
	}
	return stream.Send(&tangledv1.AuditResponse{Step: &tangledv1.AuditResponse_Report{Report: protoAudit(report)}})
}

func (s upkeepService) Backup(ctx context.Context, req *tangledv1.BackupRequest) (*tangledv1.BackupResponse, error) {
	path := req.GetPath()
	switch {
	case len(path) > maxPathSize:
		return nil, argumentf("PATH", "path of %d bytes, at most %d", len(path), maxPathSize)
	case !filepath.IsAbs(path):
		return nil, argumentf("PATH", "path %q is not absolute", path)
	}
	if err := s.upkeep.Backup(ctx, path); err != nil {
		return nil, pathError(err)
	}
	return &tangledv1.BackupResponse{}, nil
}

// pathError tells a path that cannot be used from a disk that does not work.
func pathError(err error) error {
	if is(err, fs.ErrExist, fs.ErrNotExist, fs.ErrPermission) && !errors.Is(err, node.ErrClosed) {
		return &argumentError{"PATH", err}
	}
	return err
}

func (s upkeepService) CheckStore(_ *tangledv1.CheckStoreRequest, stream grpc.ServerStreamingServer[tangledv1.CheckStoreResponse]) error {
	var report storage.CheckReport
	err := tellProgress(stream.Context(), func(p *tangledv1.Progress) error {
		return stream.Send(&tangledv1.CheckStoreResponse{Step: &tangledv1.CheckStoreResponse_Progress{Progress: p}})
	}, func(ctx context.Context, progress func(done, total uint64)) (err error) {
		report, err = s.upkeep.CheckStore(ctx, progress)
		return err
	})
	if err != nil {
		return err
	}
	return stream.Send(&tangledv1.CheckStoreResponse{Step: &tangledv1.CheckStoreResponse_Report{Report: protoCheck(report)}})
}

func protoSnapshot(i node.SnapshotInfo) *tangledv1.Snapshot {
	p := &tangledv1.Snapshot{
		Path: i.Path, Size: uint64(i.Size), Anchor: i.Anchor, LedgerTimeNs: i.Time,
		Accounts: i.Accounts, Anchors: i.Anchors, Messages: i.Messages,
	}
	if i.Digest != [32]byte{} {
		p.Commitment, p.Digest = i.Commitment[:], i.Digest[:]
	}
	return p
}

func protoPruned(r node.PruneReport, dry bool) *tangledv1.PruneReport {
	p := &tangledv1.PruneReport{
		BeforeNs: protoTime(r.Before), Snapshot: r.Snapshot, Anchors: r.Anchors, Messages: r.Messages, Bytes: r.Bytes,
		Kept: r.Kept, DiskBefore: r.DiskBefore, DiskAfter: r.DiskAfter, CompleteFrom: r.CompleteFrom, DryRun: dry,
	}
	topics := slices.SortedFunc(slices.Values(r.Topics), func(a, b node.TopicUse) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Topic, b.Topic))
	})
	p.MoreTopics = len(topics) > maxTopics
	for _, t := range topics[:min(len(topics), maxTopics)] {
		p.Topics = append(p.Topics, &tangledv1.TopicUse{Topic: t.Topic, Messages: t.Messages, Bytes: t.Bytes})
	}
	return p
}

func protoAudit(r node.AuditReport) *tangledv1.AuditReport {
	p := &tangledv1.AuditReport{First: r.First, Last: r.Last, Messages: r.Messages, More: r.More}
	for _, d := range r.Differ {
		p.Differ = append(p.Differ, &tangledv1.Difference{Anchor: d.Anchor, Here: d.Here, There: d.There})
	}
	return p
}

func protoCheck(r storage.CheckReport) *tangledv1.CheckReport {
	p := &tangledv1.CheckReport{Total: r.Damaged}
	for _, t := range r.Tables {
		p.Tables = append(p.Tables, &tangledv1.TableCount{Table: string(rune(t.Table)), Rows: t.Rows})
	}
	for _, d := range r.Damages {
		p.Damages = append(p.Damages, &tangledv1.Damage{Table: string(rune(d.Table)), Key: d.Key, Error: d.Err.Error()})
	}
	return p
}

// timeOf is the time of a request; the zero Time where none is given.
func timeOf(ns uint64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(ns))
}
