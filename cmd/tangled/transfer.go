package main

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/message"
)

// transferFlags are what a transfer is made of.
type transferFlags struct {
	key      string
	to       []string
	nonce    uint64
	setNonce bool
	validFor time.Duration
	wait     string
}

func newTransferCommand() *cobra.Command {
	client := new(clientFlags)
	var flags transferFlags
	cmd := &cobra.Command{
		Use:   "transfer --key FILE --to ADDRESS=AMOUNT",
		Short: "Move value from one account to others",
		Long: `transfer signs a transfer here, where the key stays, gives it to a node to carry, and
prints its ID and its carrier's. Value moves when that is final and the transfer
was applied; --wait final waits for it. There is no fee.

Of an owner's transfers with the same nonce one is applied, so a transfer is safe
to repeat with the --nonce of the first try. By default the node tells the lowest
free one; it does not count transfers that are on their way, so a script with
several at once numbers them itself, up to 64 ahead.

Exit code 5 says that the transfer is final and moved nothing, and the error names
why: double spend, insufficient, expired, nonce too far, or duplicate, which is one
that was applied already. An insufficient one or one too far ahead may still apply
if carried again before it expires; spend its nonce otherwise to prevent that.
` + clientHelp + "\n" + exitHelp,
		Example: `  tangled transfer --api 127.0.0.1:7702 --key alice.key --to $BOB=25 --wait final
  tangled transfer --config net/node1/tangled.toml --key alice.key --to $BOB=1 --to $CAROL=2 --nonce 7 --valid-for 5m`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			flags.setNonce = cmd.Flags().Changed("nonce")
			t, key, err := flags.draft()
			if err != nil {
				return err
			}
			return client.call(cmd.Context(), func(ctx context.Context, conn *grpc.ClientConn) error {
				return flags.send(ctx, conn, t, key, cmd.OutOrStdout(), wantsJSON(cmd))
			})
		},
	}
	client.add(cmd)
	f := cmd.Flags()
	f.StringVar(&flags.key, "key", "", "key file of the account that pays")
	f.StringArrayVar(&flags.to, "to", nil, "ADDRESS=AMOUNT to pay; may be repeated")
	f.Uint64Var(&flags.nonce, "nonce", 0, "number of the transfer; the lowest free one by default")
	f.DurationVar(&flags.validFor, "valid-for", time.Hour, "how long it may be applied, up to 24h")
	addWaitFlag(cmd, &flags.wait)
	cmd.AddCommand(newTransferStatusCommand(client))
	return cmd
}

// draft is the transfer as far as no node is needed for it.
func (f *transferFlags) draft() (*message.Transfer, ed25519.PrivateKey, error) {
	if f.key == "" {
		return nil, nil, usagef("--key is missing: the file of the account that pays")
	}
	if f.validFor <= 0 || f.validFor > message.MaxValidity {
		return nil, nil, usagef("--valid-for %v: want above 0 and up to %v", f.validFor, message.MaxValidity)
	}
	if err := checkWait(f.wait); err != nil {
		return nil, nil, err
	}
	to, err := allotmentFlags("to", f.to)
	if err != nil {
		return nil, nil, err
	}
	t := &message.Transfer{Nonce: f.nonce}
	for _, a := range to {
		t.Outputs = append(t.Outputs, message.Output{Address: a.address, Amount: a.amount})
	}
	if err := t.Validate(); err != nil {
		return nil, nil, usagef("--to: %w", err)
	}
	key, err := readKey(f.key)
	return t, key, err
}

// send completes the transfer with what the node says of network, time and
// nonce, signs it and has it carried.
func (f *transferFlags) send(ctx context.Context, conn *grpc.ClientConn, t *message.Transfer, key ed25519.PrivateKey, out io.Writer, asJSON bool) error {
	info, err := tangledv1.NewNodeServiceClient(conn).Info(ctx, &tangledv1.InfoRequest{})
	if err != nil {
		return err
	}
	var network message.NetworkID
	if copy(network[:], info.GetNetworkId()) != len(network) {
		return fmt.Errorf("the node names a network of %d bytes, want %d", len(info.GetNetworkId()), len(network))
	}
	client := tangledv1.NewLedgerServiceClient(conn)
	if !f.setNonce {
		from := message.AddressOf(publicKey(key))
		account, err := client.Balance(ctx, &tangledv1.BalanceRequest{Address: from[:]})
		if err != nil {
			return err
		}
		t.Nonce = account.GetNextNonce()
	}
	// By the node's clock, which stamps the carrier.
	t.ValidUntil = info.GetServerTimeNs() + uint64(f.validFor)
	t.Sign(network, key)
	reply, err := client.Transfer(ctx, &tangledv1.TransferRequest{Transfer: t.Append(nil)})
	if err != nil {
		return err
	}
	r := transferReport{ID: reply.GetTransferId(), Nonce: &t.Nonce, Carrier: reply.GetReceipt().GetId()}
	if f.wait != waitFinal {
		return r.print(out, asJSON)
	}
	carrier, final, waitErr := awaitFinal(ctx, conn, r.Carrier)
	r.Carrier = carrier
	r.setFinal(final)
	return errors.Join(r.print(out, asJSON), waitErr, r.fate(final))
}

// transferReport tells how a transfer stands.
type transferReport struct {
	ID      hexBytes `json:"transfer"`
	Carrier hexBytes `json:"carrier"`
	Nonce   *uint64  `json:"nonce,omitempty"`
	Cursor  string   `json:"cursor,omitempty"`
	Outcome string   `json:"outcome,omitempty"`
}

func (r *transferReport) setFinal(f *tangledv1.Final) {
	if f != nil {
		r.Cursor, r.Outcome = cursorOf(f).String(), outcomeName(f.GetOutcome())
	}
}

func (r transferReport) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return writeJSON(out, r)
	}
	t := newTable(out)
	t.row("transfer", r.ID.String())
	t.row("carrier", r.Carrier.String())
	if r.Nonce != nil {
		t.row("nonce", fmt.Sprint(*r.Nonce))
	}
	if r.Outcome != "" {
		t.row("outcome", r.Outcome)
		t.row("cursor", r.Cursor)
	}
	return t.flush()
}

// fate is an error where the transfer is final and moved nothing.
func (r transferReport) fate(f *tangledv1.Final) error {
	if f == nil || f.GetOutcome() == tangledv1.Outcome_OUTCOME_APPLIED {
		return nil
	}
	return &exitError{code: exitNotApplied, err: fmt.Errorf("transfer %s is final and moved nothing: %s", r.ID, r.Outcome)}
}

func newTransferStatusCommand(client *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "status ID",
		Short: "Show what became of a transfer",
		Long: `status shows what last became of a transfer, whichever node carried it. Exit code 0
says that it was applied, 5 that it is final and moved nothing, 3 that it is in no
final message: not yet, or never.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := hex.DecodeString(args[0])
			if err != nil || len(id) != len(message.TransferID{}) {
				return usagef("transfer ID %q: want %d hexadecimal digits", args[0], 2*len(message.TransferID{}))
			}
			return client.call(cmd.Context(), func(ctx context.Context, conn *grpc.ClientConn) error {
				s, err := tangledv1.NewLedgerServiceClient(conn).TransferStatus(ctx, &tangledv1.TransferStatusRequest{TransferId: id})
				if err != nil {
					return err
				}
				r := transferReport{ID: id, Carrier: s.GetCarrier()}
				r.setFinal(s.GetFinal())
				return errors.Join(r.print(cmd.OutOrStdout(), wantsJSON(cmd)), r.fate(s.GetFinal()))
			})
		},
	}
}
