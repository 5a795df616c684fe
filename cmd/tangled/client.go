package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// maxReply is the largest reply a client takes: a message is 32 KiB, and a list
// of 256 peers far below this.
const maxReply = 4 << 20

// clientFlags say which node a client command speaks to.
type clientFlags struct {
	api     string
	config  string
	timeout time.Duration
}

const clientHelp = `
The node is the one at --api, else that of the --config file, else at $TANGLED_API,
else that of the file $TANGLED_CONFIG.`

func (f *clientFlags) add(cmd *cobra.Command) { f.addWith(cmd, 30*time.Second) }

// addWith is add for commands that wait for long by default.
func (f *clientFlags) addWith(cmd *cobra.Command, timeout time.Duration) {
	p := cmd.PersistentFlags()
	p.StringVar(&f.api, "api", "", "host:port of the node's API")
	p.StringVar(&f.config, "config", "", "the node's tangled.toml, which names its API")
	p.DurationVar(&f.timeout, "timeout", timeout, "how long to wait for the node")
}

// address is where the node is.
func (f *clientFlags) address(environ func(string) string) (string, error) {
	api, config := f.api, f.config
	if api == "" && config == "" {
		api, config = environ(envAPI), environ(envConfig)
	}
	switch {
	case f.api != "" && f.config != "":
		return "", usagef("--api and --config name a node each: give one")
	case api != "":
		if _, _, err := net.SplitHostPort(api); err != nil {
			return "", usagef("API address %q: want host:port, such as 127.0.0.1:7702", api)
		}
		return api, nil
	case config == "":
		return "", usagef("which node? Give --api host:port or --config file, or set %s", envAPI)
	}
	c, err := loadConfig(config, os.Environ(), nil)
	if err != nil {
		return "", err
	}
	if _, port, err := net.SplitHostPort(c.API.Listen); err != nil || port == "0" {
		return "", usagef("%s: api.listen is %q and names no port", config, c.API.Listen)
	}
	return c.API.Listen, nil
}

// localConfig is the config that names the node; nil where it is named by address.
func (f *clientFlags) localConfig() (*config, error) {
	path := f.config
	if path == "" && f.api == "" {
		path = os.Getenv(envConfig)
	}
	if path == "" {
		return nil, nil
	}
	return loadConfig(path, os.Environ(), nil)
}

// dial makes a connection. It does not wait for the node: the first call does.
func (f *clientFlags) dial() (*grpc.ClientConn, error) {
	address, err := f.address(os.Getenv)
	if err != nil {
		return nil, err
	}
	// The API is bound to loopback and speaks plain HTTP/2; "passthrough" keeps
	// gRPC from asking DNS about an address.
	conn, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxReply)))
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", address, err)
	}
	return conn, nil
}

// call runs do with a connection and within the timeout, and makes a command's
// error of the node's.
func (f *clientFlags) call(ctx context.Context, do func(context.Context, *grpc.ClientConn) error) error {
	if f.timeout <= 0 {
		return usagef("--timeout %v: want more than 0", f.timeout)
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	return f.stream(ctx, do)
}

// stream is call without a timeout.
func (f *clientFlags) stream(ctx context.Context, do func(context.Context, *grpc.ClientConn) error) error {
	conn, err := f.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	return clientError(do(ctx, conn), conn.Target())
}

// follow is stream for what never ends by itself: interrupting it is how it ends.
func (f *clientFlags) follow(ctx context.Context, do func(context.Context, *grpc.ClientConn) error) error {
	err := f.stream(ctx, func(ctx context.Context, conn *grpc.ClientConn) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // ends the stream where do has enough of it
		return do(ctx, conn)
	})
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// checkStreamLimit is for the --limit of what never ends by itself.
func checkStreamLimit(limit int) error {
	if limit < 0 {
		return usagef("--limit %d: want 0, for no limit, or more", limit)
	}
	return nil
}

// clientError chooses text and exit code for an error of the API.
func clientError(err error, target string) error {
	s, ok := status.FromError(err)
	if err == nil || !ok {
		return err
	}
	text := errors.New(plain(s.Message()))
	if isNotFinal(err) {
		return &exitError{code: exitNotFinal, err: text}
	}
	switch s.Code() {
	case codes.NotFound:
		return &exitError{code: exitNotFound, err: text}
	case codes.Unavailable:
		return &exitError{code: exitUnreachable, err: fmt.Errorf("no node at %s: %w", trimScheme(target), text)}
	case codes.DeadlineExceeded:
		return &exitError{code: exitUnreachable, err: fmt.Errorf("no answer from %s in time: %w", trimScheme(target), text)}
	case codes.Unimplemented:
		return fmt.Errorf("%s is not a node of this release: %w", trimScheme(target), text)
	case codes.Canceled:
		return context.Canceled
	}
	return text
}

func trimScheme(target string) string {
	const scheme = "passthrough:///"
	if len(target) > len(scheme) && target[:len(scheme)] == scheme {
		return target[len(scheme):]
	}
	return target
}
