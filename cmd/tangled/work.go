package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	tangledv1 "tangled/api/proto/tangled/v1"
)

// work runs do, which is long work of a node, with a bar. It has no timeout: what
// works on tells so, and interrupting it ends it.
func (f *clientFlags) work(cmd *cobra.Command, what string, do func(context.Context, *grpc.ClientConn, *bar) error) error {
	b := newBar(cmd.ErrOrStderr(), what)
	defer b.close()
	return f.stream(cmd.Context(), func(ctx context.Context, conn *grpc.ClientConn) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		return do(ctx, conn, b)
	})
}

// step is a message of a stream that tells of progress and, at last, of a result.
type step[T any] interface {
	*T
	GetProgress() *tangledv1.Progress
}

// eachStep reads a stream to its end: progress goes to the bar, the rest to result.
// err is that of opening the stream.
func eachStep[T any, S step[T]](stream grpc.ServerStreamingClient[T], err error, b *bar, result func(S)) error {
	if err != nil {
		return err
	}
	for got := false; ; {
		next, err := stream.Recv()
		switch {
		case err == io.EOF && got:
			return nil
		case err == io.EOF:
			return errors.New("the node ended its work without a result")
		case err != nil:
			return err
		}
		if p := S(next).GetProgress(); p != nil {
			b.at(p.GetDone(), p.GetTotal())
			continue
		}
		got = true
		result(next)
	}
}

// completeTimeout bounds what a shell waits for.
const completeTimeout = 2 * time.Second

// addPeerFlag adds --peer, which completes to the peers that are connected.
func addPeerFlag(cmd *cobra.Command, client *clientFlags, to *string) {
	cmd.Flags().StringVar(to, "peer", "", "ID of a connected peer")
	complete := func(cmd *cobra.Command, _ []string, begun string) (ids []string, _ cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), completeTimeout)
		defer cancel()
		_ = client.stream(ctx, func(ctx context.Context, conn *grpc.ClientConn) error { // none to offer then
			reply, err := tangledv1.NewNodeServiceClient(conn).ListPeers(ctx, &tangledv1.ListPeersRequest{})
			for _, p := range reply.GetPeers() {
				if p.GetConnected() && strings.HasPrefix(p.GetId(), begun) {
					ids = append(ids, p.GetId())
				}
			}
			return err
		})
		return ids, cobra.ShellCompDirectiveNoFileComp
	}
	if err := cmd.RegisterFlagCompletionFunc("peer", complete); err != nil {
		panic(err) // the flag is defined above
	}
}

// checkPeerFlag checks --peer.
func checkPeerFlag(s string) error {
	if s == "" {
		return usagef("--peer is missing: the ID of a connected peer, see peers list")
	}
	if _, err := peer.Decode(s); err != nil {
		return usagef("--peer %q: %w", s, err)
	}
	return nil
}
