package api

import (
	"context"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/message"
)

const (
	kindData     = tangledv1.Kind_KIND_DATA
	kindTransfer = tangledv1.Kind_KIND_TRANSFER
	kindWitness  = tangledv1.Kind_KIND_WITNESS
)

var allKinds = []tangledv1.Kind{kindData, kindTransfer, kindWitness}

func TestParseKinds(t *testing.T) {
	tests := []struct {
		list []tangledv1.Kind
		want []message.Kind
	}{
		{nil, []message.Kind{message.KindData}},
		{[]tangledv1.Kind{kindData}, []message.Kind{message.KindData}},
		{[]tangledv1.Kind{kindTransfer}, []message.Kind{message.KindTransfer}},
		{[]tangledv1.Kind{kindWitness, kindWitness}, []message.Kind{message.KindWitness}},
		{allKinds, []message.Kind{message.KindData, message.KindTransfer, message.KindWitness}},
	}
	for _, test := range tests {
		set, err := parseKinds(test.list)
		if err != nil {
			t.Errorf("%v: %v", test.list, err)
		}
		for k := range message.Kind(8) {
			if want := slices.Contains(test.want, k); set.has(k) != want {
				t.Errorf("%v has kind %d: %v, want %v", test.list, k, !want, want)
			}
		}
	}
}

// Witnesses are stored like everything else, and shown to whoever asks for them.
func TestKindsOfQueries(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		data := f.fill(20, 10)
		carrier := f.pay(f.transfer(0, 1)).Receipt
		time.Sleep(30 * time.Second)
		seat := message.Issuer(keyOf(0)[32:])
		until := uint64(time.Now().UnixNano()) // witnesses go on
		all := idsOf(f.query(&tangledv1.QueryRequest{Kinds: allKinds, ToNs: until}))
		witnesses := f.query(&tangledv1.QueryRequest{Kinds: []tangledv1.Kind{kindWitness}, ToNs: until})
		if len(witnesses) < 10 || len(all) != len(data)+1+len(witnesses) {
			t.Fatalf("%d messages, %d witnesses", len(all), len(witnesses))
		}
		for i, w := range witnesses {
			if p := w.Message.Witness; w.Message.Kind != kindWitness || p.GetSeat() != 0 || p.GetRound() != uint64(i+1) || len(p.GetCommitment()) != 32 {
				t.Fatalf("witness %d is %v", i, w.Message)
			}
		}
		tests := []struct {
			name string
			req  *tangledv1.QueryRequest
			want []message.ID
		}{
			{"default", &tangledv1.QueryRequest{}, data},
			{"data", &tangledv1.QueryRequest{Kinds: []tangledv1.Kind{kindData}}, data},
			{"of an issuer", &tangledv1.QueryRequest{Issuer: seat[:]}, data},
			{"witnesses", &tangledv1.QueryRequest{Kinds: []tangledv1.Kind{kindWitness}, Issuer: seat[:]}, idsOf(witnesses)},
			{"transfers", &tangledv1.QueryRequest{Kinds: []tangledv1.Kind{kindTransfer}}, []message.ID{message.ID(carrier.Id)}},
			{"all", &tangledv1.QueryRequest{Kinds: allKinds}, all},
			{"witnesses have no topic", &tangledv1.QueryRequest{Kinds: []tangledv1.Kind{kindWitness}, Topic: "#"}, nil},
		}
		for _, test := range tests {
			for _, limit := range []uint32{0, 1, 3} {
				for _, descending := range []bool{false, true} {
					want := slices.Clone(test.want)
					if descending {
						slices.Reverse(want)
					}
					req := &tangledv1.QueryRequest{
						Kinds: test.req.Kinds, Issuer: test.req.Issuer, Topic: test.req.Topic,
						ToNs: until, Limit: limit, Descending: descending,
					}
					if got := f.walk(req); !slices.Equal(got, want) {
						t.Errorf("%s, pages of %d, descending %v: %d messages, want %d", test.name, limit, descending, len(got), len(want))
					}
				}
			}
		}
	})
}

// What a query does not select may be more than is read from the store at once.
func TestQueryOfFewAmongMany(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		f.fill(100, 30_000) // 3 MB
		carrier := f.pay(f.transfer(0, 1)).Receipt
		f.fill(100, 30_000)
		for _, descending := range []bool{false, true} {
			got := idsOf(f.query(&tangledv1.QueryRequest{Kinds: []tangledv1.Kind{kindTransfer}, Descending: descending}))
			if len(got) != 1 || got[0] != message.ID(carrier.Id) {
				t.Errorf("descending %v: %v, want the transfer", descending, got)
			}
		}
	})
}

func TestKindsOfTails(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		lists := [][]tangledv1.Kind{nil, {kindTransfer}, {kindWitness}}
		ctx, cancel := context.WithCancel(t.Context())
		var tails []tangledv1.HistoryService_TailClient
		for _, list := range lists {
			tails = append(tails, f.tail(ctx, &tangledv1.TailRequest{Kinds: list}))
		}
		f.fill(5, 10)
		f.pay(f.transfer(0, 1))
		time.Sleep(30 * time.Second)
		cancel()
		for i, want := range []tangledv1.Kind{kindData, kindTransfer, kindWitness} {
			got, _ := collect(t, tails[i], nil)
			if len(got) == 0 {
				t.Errorf("nothing came of %v", want)
			}
			for _, e := range got {
				if e.Message.Kind != want {
					t.Errorf("a %v came, want %v only", e.Message.Kind, want)
				}
			}
		}
	})
}

func TestUnknownKinds(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		for _, kind := range []tangledv1.Kind{tangledv1.Kind_KIND_UNSPECIFIED, 4, 64, -1} {
			list := []tangledv1.Kind{kindData, kind}
			query, err := f.history.Query(t.Context(), &tangledv1.QueryRequest{Kinds: list})
			_, err = collect(t, query, err)
			wantError(t, "query", err, codes.InvalidArgument, "KIND")
			tail, err := f.history.Tail(t.Context(), &tangledv1.TailRequest{Kinds: list})
			_, err = collect(t, tail, err)
			wantError(t, "tail", err, codes.InvalidArgument, "KIND")
			follow, err := f.history.Follow(t.Context(), &tangledv1.FollowRequest{Kinds: list})
			_, err = collect(t, follow, err)
			wantError(t, "follow", err, codes.InvalidArgument, "KIND")
		}
	})
}
