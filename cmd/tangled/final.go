package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	tangledv1 "tangled/api/proto/tangled/v1"
)

// The values of --wait.
const (
	waitDurable = "durable"
	waitFinal   = "final"
)

// pollEvery is how often a node is asked whether something is final.
const pollEvery = 100 * time.Millisecond

// addWaitFlag defines --wait.
func addWaitFlag(cmd *cobra.Command, wait *string) {
	cmd.Flags().StringVar(wait, "wait", waitDurable, "until when to wait: durable (on the node's disk) or final")
	err := cmd.RegisterFlagCompletionFunc("wait", cobra.FixedCompletions([]string{waitDurable, waitFinal}, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // the flag is defined above
	}
}

func checkWait(wait string) error {
	if wait != waitDurable && wait != waitFinal {
		return usagef("--wait %q: want %s or %s", wait, waitDurable, waitFinal)
	}
	return nil
}

// awaitFinal waits until a message is final, and returns its ID, which is another
// where its reading had to be issued again, and where it is. It asks again and
// again instead of leaving the waiting to the submission: whatever happens until
// the timeout, the ID of the durable message is known.
func awaitFinal(ctx context.Context, conn *grpc.ClientConn, id hexBytes) (hexBytes, *tangledv1.Final, error) {
	client := tangledv1.NewMessagesServiceClient(conn)
	var final *tangledv1.Final
	err := poll(ctx, func() (done bool, err error) {
		meta, err := client.Metadata(ctx, &tangledv1.MetadataRequest{Id: id})
		if err != nil {
			return false, err
		}
		if final = meta.GetFinal(); final != nil {
			return true, nil
		}
		if next := meta.GetReplacedBy(); len(next) > 0 {
			id = next
		}
		return false, everFinal(ctx, conn)
	})
	if errors.Is(err, errStillWaiting) {
		err = &exitError{code: exitNotFinal, err: fmt.Errorf("message %s is on the node's disk and not final yet: see tangled get", id)}
	}
	return id, final, err
}

// everFinal tells, by an error, that nothing becomes final here.
func everFinal(ctx context.Context, conn *grpc.ClientConn) error {
	info, err := tangledv1.NewNodeServiceClient(conn).Info(ctx, &tangledv1.InfoRequest{})
	if err != nil {
		return err
	}
	if len(info.GetSeats()) == 0 {
		return errors.New("the network has no committee: nothing becomes final")
	}
	return alarm(info)
}

// errStillWaiting ends a poll whose time is over.
var errStillWaiting = errors.New("still waiting")

// poll asks again and again until it is done. At the deadline it gives
// errStillWaiting.
func poll(ctx context.Context, ask func() (done bool, err error)) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		done, err := ask()
		// The node knows the deadline too, and may notice it a moment before us.
		if status.Code(err) == codes.DeadlineExceeded || errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return errStillWaiting
		}
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

// isNotFinal tells whether the node says that something is not final yet.
func isNotFinal(err error) bool {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetReason() == "NOT_FINAL" {
			return true
		}
	}
	return false
}
