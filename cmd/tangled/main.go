// Command tangled runs a node of a private city Tangle, makes networks, and
// speaks to running nodes.
//
// # Use
//
//	tangled init --network florence --nodes 3 --dir net
//	tangled run --config net/node1/tangled.toml
//	tangled submit --config net/node1/tangled.toml --topic air/1/pm10 21.5
//	tangled query --config net/node2/tangled.toml --topic 'air/#'
//	tangled transfer --config net/node1/tangled.toml --key net/treasury.key --to ADDRESS=25 --wait final
//	tangled proof get --config net/node1/tangled.toml --wait ID > p.json
//	tangled proof verify p.json --genesis net/genesis.toml
//
// # Configuration
//
// A node's settings come from its tangled.toml, then the environment
// (TANGLED_API_LISTEN for api.listen), then --set flags; each overrides what
// came before. A key nobody knows, a value out of bounds and a weak setting are
// refused, with the line or the variable they come from.
//
// # Errors
//
// An error is one line on standard error and an exit code: see exit.go. An error
// that the operator can do something about says what.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(main1()) }

// main1 is main but for the exit, so that the script tests can run it.
func main1() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// After the first signal they kill again, so that a second one ends at once
	// what takes too long to end in order.
	context.AfterFunc(ctx, stop)

	root := newRootCommand()
	var ran bool
	markRun(root, &ran)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(os.Stderr, "tangled:", plain(oneLine(err)))
	if !ran {
		fmt.Fprintln(os.Stderr, "tangled: see --help")
	}
	return exitCode(err, ran)
}
