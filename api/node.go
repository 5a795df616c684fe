package api

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/gossip"
	"tangled/node"
)

const (
	// maxAddrSize and maxPeerIDSize are generous; longer ones are not worth
	// repeating in an error.
	maxAddrSize   = 1024
	maxPeerIDSize = 128
)

// nodeService is tangled.v1.NodeService.
type nodeService struct {
	tangledv1.UnimplementedNodeServiceServer
	*Server
}

func (s nodeService) Info(ctx context.Context, _ *tangledv1.InfoRequest) (*tangledv1.InfoResponse, error) {
	info, err := s.node.Info(ctx)
	if err != nil {
		return nil, err
	}
	reply := &tangledv1.InfoResponse{
		Network:      info.Network,
		NetworkId:    info.NetworkID[:],
		Genesis:      info.Genesis[:],
		PeerId:       info.PeerID.String(),
		Addrs:        protoAddrs(info.Addrs),
		Issuer:       info.Issuer[:],
		Role:         string(info.Role),
		Version:      s.opts.Version,
		StartedNs:    protoTime(info.Started),
		ServerTimeNs: protoTime(time.Now()),
		WindowNs:     uint64(info.Window),
		DataBits:     uint32(info.DataBits),
		TransferBits: uint32(info.TransferBits),
		WitnessBits:  uint32(info.WitnessBits),
		Messages:     info.Messages,
		Vertices:     uint64(info.Vertices),
		Tips:         uint64(info.Tips),
		Orphans:      uint64(info.Orphans),
		Held:         uint64(info.Held),
		LedgerTimeNs: info.LedgerTime,
		Newest:       info.Newest[:],
		Peers:        uint32(info.Peers),
		Anchor:       info.Anchor,
		Commitment:   info.Commitment[:],
		Waiting:      uint64(info.Waiting),
		Round:        info.Round,
		Seats:        protoSeats(info.Seats),
		Silent:       info.Silent,
	}
	if info.Seat >= 0 {
		seat := uint32(info.Seat)
		reply.Seat = &seat
	}
	if info.Unhealthy != nil {
		reply.Unhealthy = info.Unhealthy.Error()
	}
	if info.Alarm != nil {
		reply.Alarm = info.Alarm.Error()
	}
	return reply, nil
}

func protoSeats(seats []node.SeatInfo) []*tangledv1.Seat {
	out := make([]*tangledv1.Seat, len(seats))
	for i := range seats {
		out[i] = &tangledv1.Seat{Key: seats[i].Key[:], Weight: seats[i].Weight, Round: seats[i].Round, Seen: seats[i].Seen}
	}
	return out
}

func (s nodeService) ListPeers(context.Context, *tangledv1.ListPeersRequest) (*tangledv1.ListPeersResponse, error) {
	reply := &tangledv1.ListPeersResponse{}
	for _, p := range s.node.Peers() {
		reply.Peers = append(reply.Peers, protoPeer(p))
	}
	return reply, nil
}

func (s nodeService) AddPeer(_ context.Context, req *tangledv1.AddPeerRequest) (*tangledv1.AddPeerResponse, error) {
	info, err := s.parsePeer(req.GetAddr())
	if err != nil {
		return nil, err
	}
	if err := s.node.AddPeer(*info); err != nil {
		return nil, peerError(err)
	}
	return &tangledv1.AddPeerResponse{Id: info.ID.String()}, nil
}

func (s nodeService) RemovePeer(_ context.Context, req *tangledv1.RemovePeerRequest) (*tangledv1.RemovePeerResponse, error) {
	id, err := parsePeerID(req.GetId())
	if err != nil {
		return nil, err
	}
	if err := s.node.RemovePeer(id); err != nil {
		return nil, peerError(err)
	}
	return &tangledv1.RemovePeerResponse{}, nil
}

func parsePeerID(s string) (peer.ID, error) {
	if n := len(s); n > maxPeerIDSize {
		return "", argumentf("PEER", "peer ID of %d bytes, at most %d", n, maxPeerIDSize)
	}
	id, err := peer.Decode(s)
	if err != nil {
		return "", argumentf("PEER", "peer ID %q: %w", s, err)
	}
	return id, nil
}

// parsePeer reads the address of another node.
func (s nodeService) parsePeer(addr string) (*peer.AddrInfo, error) {
	if len(addr) > maxAddrSize {
		return nil, argumentf("PEER", "peer address of %d bytes, at most %d", len(addr), maxAddrSize)
	}
	info, err := peer.AddrInfoFromString(addr)
	if err != nil {
		return nil, argumentf("PEER", "peer address %q: %w", addr, err)
	}
	if info.ID == s.self {
		return nil, argumentf("PEER", "peer address %q is this node's own", addr)
	}
	return info, nil
}

// peerError tells what the list of peers refuses, such as one peer too many, from
// a disk that does not keep it.
func peerError(err error) error {
	var disk syscall.Errno
	if errors.As(err, &disk) || errors.Is(err, gossip.ErrClosed) {
		return err
	}
	return &peerListError{err}
}

func protoPeer(p gossip.PeerInfo) *tangledv1.Peer {
	return &tangledv1.Peer{
		Id:            p.ID.String(),
		Addrs:         protoAddrs(p.Addrs),
		Neighbour:     p.Neighbour,
		Connected:     p.Connected,
		Inbound:       p.Inbound,
		SinceNs:       protoTime(p.Since),
		Penalty:       p.Penalty,
		BannedUntilNs: protoTime(p.BannedUntil),
		FramesIn:      p.FramesIn,
		FramesOut:     p.FramesOut,
		LastError:     p.LastError,
	}
}

func protoAddrs(addrs []multiaddr.Multiaddr) []string {
	out := make([]string, len(addrs))
	for i, a := range addrs {
		out[i] = a.String()
	}
	return out
}
