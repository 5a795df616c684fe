package api

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/genesis"
	"tangled/message"
)

// transfer is signed by rich and pays amount to poor.
func (f *fixture) transfer(nonce, amount uint64) *message.Transfer {
	return f.transferUntil(time.Now().Add(time.Hour), nonce, amount)
}

func (f *fixture) transferUntil(until time.Time, nonce, amount uint64) *message.Transfer {
	t := &message.Transfer{
		Nonce: nonce, ValidUntil: uint64(until.UnixNano()),
		Outputs: []message.Output{{Address: addressOf(poor), Amount: amount}},
	}
	t.Sign(f.genesis.Network(), keyOf(rich))
	return t
}

// pay carries a transfer and waits until it is final.
func (f *fixture) pay(t *message.Transfer) *tangledv1.TransferResponse {
	f.t.Helper()
	reply, err := f.ledger.Transfer(f.t.Context(), &tangledv1.TransferRequest{Transfer: t.Append(nil), Wait: waitFinal})
	if err != nil {
		f.t.Fatalf("Transfer: %v", err)
	}
	return reply
}

func (f *fixture) balance(i int) *tangledv1.BalanceResponse {
	f.t.Helper()
	address := addressOf(i)
	b, err := f.ledger.Balance(f.t.Context(), &tangledv1.BalanceRequest{Address: address[:]})
	if err != nil {
		f.t.Fatalf("Balance: %v", err)
	}
	if !bytes.Equal(b.Address, address[:]) {
		f.t.Fatalf("balance of %x, want %v", b.Address, address)
	}
	return b
}

func (f *fixture) wantBalances(after string, ofRich, ofPoor uint64) {
	f.t.Helper()
	if r, p := f.balance(rich).Balance, f.balance(poor).Balance; r != ofRich || p != ofPoor {
		f.t.Errorf("after %s: %d and %d, want %d and %d", after, r, p, ofRich, ofPoor)
	}
}

func (f *fixture) transferStatus(t *message.Transfer) *tangledv1.TransferStatusResponse {
	f.t.Helper()
	id := t.ID(f.genesis.Network())
	reply, err := f.ledger.TransferStatus(f.t.Context(), &tangledv1.TransferStatusRequest{TransferId: id[:]})
	if err != nil {
		f.t.Fatalf("TransferStatus: %v", err)
	}
	return reply
}

// Every outcome that a transfer can have, as its sender is told, and what it does to
// the balances.
func TestTransferOutcomes(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		time.Sleep(time.Minute) // the ledger time moves
		first := f.transfer(0, 100)
		tests := []struct {
			name           string
			transfer       *message.Transfer
			want, status   tangledv1.Outcome
			ofRich, ofPoor uint64
		}{
			{"first", first, tangledv1.Outcome_OUTCOME_APPLIED, tangledv1.Outcome_OUTCOME_APPLIED, 900, 100},
			{"double spend", f.transfer(0, 101), tangledv1.Outcome_OUTCOME_DOUBLE_SPEND, tangledv1.Outcome_OUTCOME_DOUBLE_SPEND, 900, 100},
			{"again", first, tangledv1.Outcome_OUTCOME_DUPLICATE, tangledv1.Outcome_OUTCOME_APPLIED, 900, 100},
			{"too much", f.transfer(1, 901), tangledv1.Outcome_OUTCOME_INSUFFICIENT, tangledv1.Outcome_OUTCOME_INSUFFICIENT, 900, 100},
			{"far nonce", f.transfer(65, 1), tangledv1.Outcome_OUTCOME_NONCE_TOO_FAR, tangledv1.Outcome_OUTCOME_NONCE_TOO_FAR, 900, 100},
			{"late", f.transferUntil(f.genesis.Start, 1, 1), tangledv1.Outcome_OUTCOME_EXPIRED, tangledv1.Outcome_OUTCOME_EXPIRED, 900, 100},
			{"the rest", f.transfer(1, 900), tangledv1.Outcome_OUTCOME_APPLIED, tangledv1.Outcome_OUTCOME_APPLIED, 0, 1000},
		}
		for _, test := range tests {
			reply := f.pay(test.transfer)
			id := test.transfer.ID(f.genesis.Network())
			if !bytes.Equal(reply.TransferId, id[:]) || reply.Receipt.Final.GetOutcome() != test.want {
				t.Errorf("%s: %v, want %v", test.name, reply, test.want)
			}
			status := f.transferStatus(test.transfer)
			if status.Final.GetOutcome() != test.status {
				t.Errorf("%s: status %v, want %v", test.name, status, test.status)
			}
			if told := proto.Equal(status.Final, reply.Receipt.Final) && bytes.Equal(status.Carrier, reply.Receipt.Id); told != (test.want == test.status) {
				t.Errorf("%s: status %v, receipt %v", test.name, status, reply.Receipt)
			}
			f.wantBalances(test.name, test.ofRich, test.ofPoor)
		}
		if b := f.balance(rich); b.NextNonce != 2 || b.Anchor == 0 || b.LedgerTimeNs <= uint64(f.genesis.Start.UnixNano()) {
			t.Errorf("account %v", b)
		}
	})
}

func TestTransferIsNotFinalAtOnce(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		pay := f.transfer(0, 100)
		id := pay.ID(f.genesis.Network())
		reply, err := f.ledger.Transfer(t.Context(), &tangledv1.TransferRequest{Transfer: pay.Append(nil)})
		if err != nil || reply.Receipt.State != tangledv1.State_STATE_DURABLE || reply.Receipt.Final != nil {
			t.Fatalf("Transfer: %v, %v", reply, err)
		}
		_, err = f.ledger.TransferStatus(t.Context(), &tangledv1.TransferStatusRequest{TransferId: id[:]})
		wantError(t, "status at once", err, codes.NotFound, "")
		f.wantBalances("the submission", 1000, 0)
		f.settle()
		if status := f.transferStatus(pay); status.Final.Outcome != tangledv1.Outcome_OUTCOME_APPLIED || !bytes.Equal(status.Carrier, reply.Receipt.Id) {
			t.Errorf("status then %v", status)
		}
		f.wantBalances("the anchor", 900, 100)

		got, err := f.messages.Get(t.Context(), &tangledv1.GetRequest{Id: reply.Receipt.Id})
		if err != nil {
			t.Fatalf("Get: %v", err)
		}
		to := addressOf(poor)
		want := &tangledv1.Transfer{
			Id: id[:], From: pay.From[:], Nonce: 0, ValidUntilNs: pay.ValidUntil, Signature: pay.Signature[:],
			Outputs: []*tangledv1.Output{{Address: to[:], Amount: 100}},
		}
		if got.Message.Kind != kindTransfer || !proto.Equal(got.Message.Transfer, want) {
			t.Errorf("carrier %v, want %v", got.Message, want)
		}
	})
}

func TestLedgerRefuses(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		good := f.transfer(0, 100)
		forged := *good
		forged.Nonce++
		other := *good
		other.Sign(message.NetworkID{1}, keyOf(rich))
		zero := *good
		zero.Outputs = []message.Output{{Address: addressOf(poor)}}
		zero.Sign(f.genesis.Network(), keyOf(rich))
		tests := []struct {
			name   string
			raw    []byte
			reason string
		}{
			{"nothing", nil, "TRUNCATED"},
			{"cut short", good.Append(nil)[:100], "TRUNCATED"},
			{"trailing", append(good.Append(nil), 0), "TRAILING_BYTES"},
			{"another nonce than signed", forged.Append(nil), "SIGNATURE"},
			{"another network", other.Append(nil), "SIGNATURE"},
			{"zero", zero.Append(nil), "TRANSFER"},
			{"valid for too long", f.transferUntil(time.Now().Add(48*time.Hour), 0, 1).Append(nil), "TRANSFER"},
		}
		for _, test := range tests {
			_, err := f.ledger.Transfer(t.Context(), &tangledv1.TransferRequest{Transfer: test.raw})
			wantError(t, test.name, err, codes.InvalidArgument, test.reason)
		}
		for _, size := range []int{0, 31, 33, 40} {
			_, err := f.ledger.Balance(t.Context(), &tangledv1.BalanceRequest{Address: make([]byte, size)})
			wantError(t, "balance", err, codes.InvalidArgument, "ADDRESS")
			_, err = f.ledger.TransferStatus(t.Context(), &tangledv1.TransferStatusRequest{TransferId: make([]byte, size)})
			wantError(t, "status", err, codes.InvalidArgument, "TRANSFER_ID")
			history, err := f.ledger.AccountHistory(t.Context(), &tangledv1.AccountHistoryRequest{Address: make([]byte, size)})
			_, err = collect(t, history, err)
			wantError(t, "history", err, codes.InvalidArgument, "ADDRESS")
		}
	})
}

func TestAccountHistory(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		var want []message.ID
		for nonce := range uint64(7) {
			want = append(want, message.ID(f.pay(f.transfer(nonce, 10)).Receipt.Id))
			f.pay(f.transfer(nonce, 11)) // a double spend changes no account
		}
		for _, account := range []int{rich, poor} {
			for _, descending := range []bool{false, true} {
				want := slices.Clone(want)
				if descending {
					slices.Reverse(want)
				}
				for _, limit := range []uint32{0, 1, 3, 7, 1000} {
					if got := f.walkAccount(account, limit, descending); !slices.Equal(got, want) {
						t.Errorf("account %d, pages of %d, descending %v: %v, want %v", account, limit, descending, got, want)
					}
				}
			}
		}
		if got := f.walkAccount(22, 0, false); len(got) != 0 {
			t.Errorf("an account that never was has the history %v", got)
		}
	})
}

// walkAccount reads all pages of an account's history.
func (f *fixture) walkAccount(account int, limit uint32, descending bool) (all []message.ID) {
	f.t.Helper()
	address := addressOf(account)
	req := &tangledv1.AccountHistoryRequest{Address: address[:], Limit: limit, Descending: descending}
	for {
		stream, err := f.ledger.AccountHistory(f.t.Context(), req)
		page, err := collect(f.t, stream, err)
		if err != nil {
			f.t.Fatalf("AccountHistory: %v", err)
		}
		for _, e := range page {
			if e.Outcome != tangledv1.Outcome_OUTCOME_APPLIED || e.Message.Transfer == nil {
				f.t.Fatalf("entry %v", e)
			}
			all = append(all, message.ID(e.Message.Id))
			req.After = e.Cursor
		}
		if len(page) > pageLimit(limit) {
			f.t.Fatalf("page of %d, limit %d", len(page), limit)
		}
		if len(page) < pageLimit(limit) {
			return all
		}
	}
}

// wideTransfer pays 1 in each of the most outputs that there may be: about 10 KB.
func (f *fixture) wideTransfer(nonce uint64) *message.Transfer {
	t := f.transfer(nonce, 1)
	for len(t.Outputs) < message.MaxOutputs {
		t.Outputs = append(t.Outputs, t.Outputs[0])
	}
	t.Sign(f.genesis.Network(), keyOf(rich))
	return t
}

// A page larger than what is read from the store at once is whole and in order.
func TestAccountHistoryInPieces(t *testing.T) {
	wealthy := func() *genesis.Genesis {
		g := testGenesis()
		g.Balances[0].Amount = 1e6
		return g
	}
	bubbleOn(t, wealthy, Options{}, func(t *testing.T, f *fixture) {
		want := make(map[message.ID]bool)
		for nonce := range uint64(120) {
			reply, err := f.ledger.Transfer(t.Context(), &tangledv1.TransferRequest{Transfer: f.wideTransfer(nonce).Append(nil)})
			if err != nil {
				t.Fatalf("Transfer: %v", err)
			}
			want[message.ID(reply.Receipt.Id)] = true
			if nonce%60 == 59 {
				f.settle() // 64 nonces may be on their way
			}
		}
		for _, descending := range []bool{false, true} {
			got := f.walkAccount(rich, 0, descending)
			if len(got) != len(want) {
				t.Errorf("descending %v: %d transfers, want %d", descending, len(got), len(want))
			}
			for i, id := range got {
				if !want[id] || i > 0 && (id.Compare(got[i-1]) < 0) != descending {
					t.Fatalf("descending %v: transfer %d is %v", descending, i, id)
				}
			}
		}
		// And it comes to its end while the server closes.
		account := addressOf(poor)
		stream, err := f.ledger.AccountHistory(t.Context(), &tangledv1.AccountHistoryRequest{Address: account[:]})
		if err != nil {
			t.Fatal(err)
		}
		closed := f.closeDuring()
		if page, err := collect(t, stream, nil); err != nil || len(page) != len(want) {
			t.Errorf("while closing: %d transfers, %v; want %d", len(page), err, len(want))
		}
		<-closed
	})
}
