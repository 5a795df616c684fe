package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func newRunCommand() *cobra.Command {
	var path string
	var sets []string
	var first bool
	cmd := &cobra.Command{
		Use:   "run --config FILE",
		Short: "Run a node",
		Long: `run starts the node of a tangled.toml and prints one line on standard output when
it is ready: its addresses and peer ID. It logs to standard error.

Every setting can be overridden by the environment (TANGLED_API_LISTEN for
api.listen) and, before all, by --set. A list has commas in between. Relative
paths in the file start from the file's folder, others from the working directory.

SIGINT or SIGTERM ends it in order: what was taken in is acknowledged, then the
node leaves the network and closes its store. A second signal ends it at once;
nothing acknowledged is lost by that either.

A node on the committee may write one witness a round and never two, so a seat
whose store is empty does not write at once: it first asks the other seats what
they have seen of it, and until a quorum of them has told it takes no part in
making messages final. It begins at once where a file first-start lies beside its
key: init puts it there, and the node removes it when its first witness is on
disk. --first-start says the same for this one start; say it only of a key that
has never written a witness. A network of up to three equal seats cannot do
without it: the others of so few are no quorum.
` + "\n" + exitHelp,
		Example: `  tangled run --config net/node1/tangled.toml
  tangled run --config net/node1/tangled.toml --set log.level=debug --set metrics.listen=127.0.0.1:9100
  TANGLED_STORAGE_CACHE=1GiB tangled run --config net/node1/tangled.toml --json`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if path == "" {
				path = os.Getenv(envConfig)
			}
			if path == "" {
				return usagef("--config is missing")
			}
			c, err := loadConfig(path, os.Environ(), sets)
			if err != nil {
				return err
			}
			c.FirstStart = first
			return runNode(cmd.Context(), c, cmd.OutOrStdout(), cmd.ErrOrStderr(), wantsJSON(cmd))
		},
	}
	f := cmd.Flags()
	f.StringVar(&path, "config", "", "the node's tangled.toml")
	f.StringArrayVar(&sets, "set", nil, "override a setting, key=value; may be repeated")
	f.BoolVar(&first, "first-start", false, "this node's key has never written a witness: its seat begins at once")
	if err := cmd.RegisterFlagCompletionFunc("set", completeSetting); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

// completeSetting offers the keys of tangled.toml to a shell.
func completeSetting(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	var keys []string
	for _, s := range settings() {
		if strings.HasPrefix(s.key, begun) && !s.table {
			keys = append(keys, s.key+"=\t"+s.help)
		}
	}
	slices.Sort(keys)
	return keys, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// runNode runs a node until ctx ends, which is how it is asked to stop, or it
// can go on no more.
func runNode(ctx context.Context, c *config, out, logs io.Writer, asJSON bool) (err error) {
	s, err := openService(ctx, c, c.logger(logs))
	if err != nil {
		if ctx.Err() != nil {
			return nil // asked to stop while it was starting
		}
		return c.explain(err)
	}
	defer func() {
		err = errors.Join(err, s.Close(ctx))
	}()
	ready, err := s.ready(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		err = writeJSON(out, ready)
	} else {
		_, err = fmt.Fprintln(out, ready)
	}
	if err != nil {
		return fmt.Errorf("tell that the node is ready: %w", err)
	}
	return s.wait(ctx)
}
