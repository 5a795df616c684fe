package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/message"
)

func newBalanceCommand() *cobra.Command {
	var client clientFlags
	var keyPath string
	var history bool
	var page historyPage
	cmd := &cobra.Command{
		Use:   "balance ADDRESS | --key FILE",
		Short: "Show what an address owns, or its transfers",
		Long: `balance shows what an address owns as of the last anchor, and a nonce that its next
transfer may use. The address of a key file is meant by --key; the key stays here.

With --history it prints the transfers from and to the address in the order in
which they became final. An answer ends at --limit; go on with the last --cursor.
` + clientHelp + "\n" + exitHelp,
		Example: `  tangled balance --api 127.0.0.1:7702 --key alice.key
  tangled balance --config net/node1/tangled.toml --key alice.key --history --desc --limit 10`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := accountOf(args, keyPath)
			if err != nil {
				return err
			}
			request, err := page.request(address)
			if err != nil {
				return err
			}
			return client.call(cmd.Context(), func(ctx context.Context, conn *grpc.ClientConn) error {
				if history {
					return accountHistory(ctx, conn, request, cmd.OutOrStdout(), wantsJSON(cmd))
				}
				return balance(ctx, conn, address, cmd.OutOrStdout(), wantsJSON(cmd))
			})
		},
	}
	client.add(cmd)
	f := cmd.Flags()
	f.StringVar(&keyPath, "key", "", "key file that owns the account")
	f.BoolVar(&history, "history", false, "print the transfers from and to the address")
	f.StringVar(&page.cursor, "cursor", "", "of the history: go on behind this cursor")
	f.BoolVar(&page.desc, "desc", false, "of the history: newest first")
	f.Uint32Var(&page.limit, "limit", 1000, "of the history: at most so many, 1..100000")
	return cmd
}

// accountOf is the address that the arguments mean.
func accountOf(args []string, keyPath string) (message.Address, error) {
	switch {
	case len(args) > 0 && keyPath != "":
		return message.Address{}, usagef("ADDRESS and --key name an account each: give one")
	case keyPath != "":
		key, err := readKey(keyPath)
		if err != nil {
			return message.Address{}, err
		}
		return message.AddressOf(publicKey(key)), nil
	case len(args) == 0:
		return message.Address{}, usagef("which account? Give ADDRESS or --key FILE")
	}
	address, err := message.ParseAddress(args[0])
	if err != nil {
		return message.Address{}, usagef("%q: %w", args[0], err)
	}
	return address, nil
}

// account is the JSON of balance.
type account struct {
	Address    hexBytes   `json:"address"`
	Balance    uint64     `json:"balance"`
	NextNonce  uint64     `json:"next_nonce"`
	Anchor     uint64     `json:"anchor"`
	LedgerTime *time.Time `json:"ledger_time"`
}

func balance(ctx context.Context, conn *grpc.ClientConn, address message.Address, out io.Writer, asJSON bool) error {
	b, err := tangledv1.NewLedgerServiceClient(conn).Balance(ctx, &tangledv1.BalanceRequest{Address: address[:]})
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(out, account{b.GetAddress(), b.GetBalance(), b.GetNextNonce(), b.GetAnchor(), timeOf(b.GetLedgerTimeNs())})
	}
	t := newTable(out)
	t.row("address", hexBytes(b.GetAddress()).String())
	t.row("balance", strconv.FormatUint(b.GetBalance(), 10))
	t.row("next nonce", strconv.FormatUint(b.GetNextNonce(), 10))
	t.row("as of", fmt.Sprintf("anchor %d, %s", b.GetAnchor(), timeCell(b.GetLedgerTimeNs())))
	return t.flush()
}

// historyPage selects a page of an account's history.
type historyPage struct {
	cursor string
	desc   bool
	limit  uint32
}

func (p historyPage) request(address message.Address) (*tangledv1.AccountHistoryRequest, error) {
	after, err := parseCursor(p.cursor)
	if err != nil {
		return nil, usagef("--cursor: %w", err)
	}
	if p.limit < 1 || p.limit > 100_000 {
		return nil, usagef("--limit %d: want 1..100000", p.limit)
	}
	return &tangledv1.AccountHistoryRequest{Address: address[:], After: after.proto(), Descending: p.desc, Limit: p.limit}, nil
}

// movement is one transfer from or to an account, in JSON.
type movement struct {
	Cursor   string        `json:"cursor"`
	Time     *time.Time    `json:"time"`
	Change   *big.Int      `json:"change"`
	Outcome  string        `json:"outcome"`
	Carrier  hexBytes      `json:"carrier"`
	Transfer *transferJSON `json:"transfer"`
}

func accountHistory(ctx context.Context, conn *grpc.ClientConn, request *tangledv1.AccountHistoryRequest, out io.Writer, asJSON bool) error {
	stream, err := tangledv1.NewLedgerServiceClient(conn).AccountHistory(ctx, request)
	if err != nil {
		return err
	}
	const layout = "%-10s  %-24s  %-20s  %-64s  %s\n"
	for first := true; ; first = false {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		m := newMovement(r, request.GetAddress())
		if asJSON {
			err = writeJSON(out, m)
		} else {
			if first {
				fmt.Fprintf(out, layout, "CURSOR", "TIME", "CHANGE", "FROM", "TRANSFER")
			}
			_, err = fmt.Fprintf(out, layout, m.Cursor, timeText(m.Time), fmt.Sprintf("%+d", m.Change), m.Transfer.From, m.Transfer.ID)
		}
		if err != nil {
			return err
		}
	}
}

func newMovement(r *tangledv1.AccountHistoryResponse, address hexBytes) movement {
	m := movement{
		Cursor: cursorOf(r.GetCursor()).String(), Time: timeOf(r.GetMessage().GetTimestampNs()),
		Outcome: outcomeName(r.GetOutcome()), Carrier: r.GetMessage().GetId(),
		Transfer: newTransferJSON(r.GetMessage().GetTransfer()), Change: new(big.Int),
	}
	if m.Transfer == nil {
		m.Transfer = new(transferJSON)
	}
	for _, o := range m.Transfer.Outputs {
		amount := new(big.Int).SetUint64(o.Amount)
		if m.Transfer.From.String() == address.String() {
			m.Change.Sub(m.Change, amount)
		}
		if o.Address.String() == address.String() {
			m.Change.Add(m.Change, amount)
		}
	}
	return m
}
