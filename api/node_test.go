package api

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/grpc/codes"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/message"
)

func (f *fixture) info() *tangledv1.InfoResponse {
	f.t.Helper()
	info, err := f.nodes.Info(f.t.Context(), &tangledv1.InfoRequest{})
	if err != nil {
		f.t.Fatalf("Info: %v", err)
	}
	return info
}

func TestInfo(t *testing.T) {
	bubble(t, Options{Version: "1.2.3"}, func(t *testing.T, f *fixture) {
		ids := f.fill(7, 10)
		info := f.info()
		network, genesis := f.genesis.Network(), f.genesis.ID()
		switch {
		case info.Network != "test", !bytes.Equal(info.NetworkId, network[:]), !bytes.Equal(info.Genesis, genesis[:]):
			t.Errorf("network of %v", info)
		case !bytes.Equal(info.Issuer, keyOf(0)[32:]), info.Role != "middle", info.Version != "1.2.3":
			t.Errorf("identity of %v", info)
		case info.PeerId == "", len(info.Addrs) != 1:
			t.Errorf("peer of %v", info)
		case info.Messages < 7, info.Messages > 8, info.Vertices < 7, info.Tips == 0, info.Orphans != 0, info.Held != 0, info.Peers != 0:
			t.Errorf("counts of %v", info)
		case message.ID(info.Newest).Compare(ids[6]) < 0, info.DataBits != 4, info.WindowNs != uint64(10*time.Minute):
			t.Errorf("graph of %v", info)
		case info.StartedNs == 0, info.ServerTimeNs != uint64(time.Now().UnixNano()), info.Unhealthy != "":
			t.Errorf("state of %v", info)
		}
		f.disk.free.Store(1)
		time.Sleep(2 * time.Second)
		if info = f.info(); info.Unhealthy == "" {
			t.Error("a full disk is not told")
		}
	})
}

func TestInfoOfFinality(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		before := f.info()
		f.fill(7, 10)
		if info := f.info(); info.Waiting != 7 {
			t.Errorf("%d messages wait for an anchor, want 7", info.Waiting)
		}
		time.Sleep(time.Minute)
		info := f.info()
		last, err := f.proofs.GetAnchor(t.Context(), &tangledv1.GetAnchorRequest{})
		if err != nil {
			t.Fatalf("GetAnchor: %v", err)
		}
		switch {
		case info.Anchor == 0, info.Anchor != last.Anchor.Index, !bytes.Equal(info.Commitment, last.Anchor.Commitment):
			t.Errorf("anchor %d, commitment %x; want those of %v", info.Anchor, info.Commitment, last.Anchor)
		case info.LedgerTimeNs <= before.LedgerTimeNs, info.Round < 3*info.Anchor, info.Waiting != 0, info.Alarm != "":
			t.Errorf("finality of %v", info)
		case info.Seat == nil, info.GetSeat() != 0, info.Silent:
			t.Errorf("seat of %v", info)
		case len(info.Seats) != 1, !bytes.Equal(info.Seats[0].Key, keyOf(0)[32:]), info.Seats[0].Weight != 1,
			info.Seats[0].Round != info.Round, !info.Seats[0].Seen:
			t.Errorf("seats %v in round %d", info.Seats, info.Round)
		}
	})
}

func TestInfoOfANodeWithoutASeat(t *testing.T) {
	bubbleOn(t, idleGenesis, Options{}, func(t *testing.T, f *fixture) {
		f.fill(3, 10)
		time.Sleep(time.Minute)
		info := f.info()
		genesis := f.genesis.Hash()
		switch {
		case info.Seat != nil, len(info.Seats) != 1, info.Seats[0].Seen, info.Seats[0].Round != 0:
			t.Errorf("seats of %v", info)
		case info.Anchor != 0, !bytes.Equal(info.Commitment, genesis[:]), info.Waiting != 3, info.Silent:
			t.Errorf("finality of %v", info)
		}
	})
}

func (f *fixture) peers() []*tangledv1.Peer {
	f.t.Helper()
	reply, err := f.nodes.ListPeers(f.t.Context(), &tangledv1.ListPeersRequest{})
	if err != nil {
		f.t.Fatalf("ListPeers: %v", err)
	}
	return reply.Peers
}

func TestPeersComeAndGo(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		self := f.info()
		other := f.openNode(1, vfs.NewMem())
		otherInfo, err := other.Info(t.Context())
		if err != nil {
			t.Fatalf("Info: %v", err)
		}
		id := otherInfo.PeerID.String()
		reply, err := f.nodes.AddPeer(t.Context(), &tangledv1.AddPeerRequest{Addr: otherInfo.Addrs[0].String() + "/p2p/" + id})
		if err != nil || reply.Id != id {
			t.Fatalf("AddPeer: %v, %v", reply, err)
		}
		info, err := (nodeService{Server: &Server{}}).parsePeer(self.Addrs[0] + "/p2p/" + self.PeerId)
		if err != nil {
			t.Fatal(err)
		}
		if err := other.AddPeer(*info); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // the neighbours find each other
		peers := f.peers()
		if len(peers) != 1 || peers[0].Id != id || !peers[0].Neighbour || !peers[0].Connected || peers[0].SinceNs == 0 {
			t.Fatalf("peers %v, want %s connected", peers, id)
		}
		if n := f.info().Peers; n != 1 {
			t.Errorf("%d peers are connected, want 1", n)
		}
		if _, err := f.nodes.RemovePeer(t.Context(), &tangledv1.RemovePeerRequest{Id: id}); err != nil {
			t.Fatalf("RemovePeer: %v", err)
		}
		time.Sleep(time.Minute)
		for _, p := range f.peers() {
			if p.Neighbour || p.Connected {
				t.Errorf("still there: %v", p)
			}
		}
	})
}

func TestPeersRefuse(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		self := f.info()
		for name, addr := range map[string]string{
			"nothing":      "",
			"no peer ID":   "/ip4/10.0.0.9/tcp/4001",
			"no multiaddr": "10.0.0.9:4001",
			"broken ID":    "/ip4/10.0.0.9/tcp/4001/p2p/12D3",
			"its own":      self.Addrs[0] + "/p2p/" + self.PeerId,
			"without end":  strings.Repeat("/ip4/10.0.0.9", 100),
		} {
			_, err := f.nodes.AddPeer(t.Context(), &tangledv1.AddPeerRequest{Addr: addr})
			wantError(t, "add "+name, err, codes.InvalidArgument, "PEER")
		}
		for name, id := range map[string]string{"nothing": "", "broken": "12D3", "without end": strings.Repeat("1", 200)} {
			_, err := f.nodes.RemovePeer(t.Context(), &tangledv1.RemovePeerRequest{Id: id})
			wantError(t, "remove "+name, err, codes.InvalidArgument, "PEER")
		}
		if peers := f.peers(); len(peers) != 0 {
			t.Errorf("peers %v, want none", peers)
		}
	})
}
