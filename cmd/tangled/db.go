package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/storage"
)

func newDBCommand() *cobra.Command {
	client := new(clientFlags)
	cmd := &cobra.Command{
		Use:   "db",
		Short: "Check, back up and restore a node's store",
		Long: `db looks after the store in a node's data directory. check and backup work whether
the node runs or not: they open the store themselves, and where a node has it open
they ask the node. restore needs the node stopped.
` + clientHelp + "\n" + exitHelp,
		Example: `  tangled db check --config net/node1/tangled.toml
  tangled db backup --config net/node1/tangled.toml /backup/node1-monday
  tangled db restore --config net/node1/tangled.toml /backup/node1-monday --replace`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	client.addWith(cmd, time.Hour)
	cmd.AddCommand(newDBCheckCommand(client), newDBBackupCommand(client), newDBRestoreCommand(client))
	return cmd
}

func newDBCheckCommand(client *clientFlags) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Read every row of a store and tell what is damaged",
		Long: `check reads the whole store and compares its tables with each other. Exit code 0 says
that all is as it was written; 1 that something is not, and prints each damage with
its table and key, or what keeps the store from being opened; 3 that there is no store. --dir names a data directory, or a
backup, in place of the one that the config names.

A stopped node is checked best: a running one has part of its store in memory and
reads that. A damaged store is mended by db restore, or by removing it: the node then
fetches from its peers what they still have.`,
		Example: `  tangled db check --config net/node1/tangled.toml
  tangled db check --dir /backup/node1-monday --json`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := client.checkStore(cmd, dir)
			if err != nil {
				return err
			}
			return report.show(cmd.OutOrStdout(), wantsJSON(cmd))
		},
	}
	addDirFlag(cmd, &dir)
	return cmd
}

func newDBBackupCommand(client *clientFlags) *cobra.Command {
	var verify bool
	cmd := &cobra.Command{
		Use:   "backup DIR",
		Short: "Copy a node's store into a new folder",
		Long: `backup makes a copy of the store, as it is at one moment, in a folder that it makes;
one that exists is refused. A node goes on running meanwhile. On the same file system
the copy shares its files with the store and takes little room; keep another one
elsewhere. Then the copy is read and checked like by db check, but with --verify=false.

Keep keys and tangled.toml yourself: they are not in it. Never copy the folder of a
running node by other means.`,
		Example:           `  tangled db backup --config net/node1/tangled.toml /backup/node1-monday`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: oneDir,
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			return client.backUp(cmd, dir, verify)
		},
	}
	cmd.Flags().BoolVar(&verify, "verify", true, "read and check the copy")
	return cmd
}

func addDirFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "dir", "", "data directory, in place of the config's")
	if err := cmd.MarkFlagDirname("dir"); err != nil {
		panic(err) // the flag is defined above
	}
}

// oneDir completes one argument to folders.
func oneDir(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// checkStore checks the store in dir, else that of the config; where a node has
// that open, the node does.
func (f *clientFlags) checkStore(cmd *cobra.Command, dir string) (checked, error) {
	c, err := f.localConfig()
	if err != nil {
		return checked{}, err
	}
	if dir == "" && c == nil {
		return f.checkRunning(cmd)
	}
	report, err := checkOffline(cmd, c, dir)
	if isLocked(err) && dir == "" {
		return f.checkRunning(cmd)
	}
	if isLocked(err) {
		return checked{}, fmt.Errorf("%w: leave --dir out and name the node, with --config or --api", err)
	}
	return report, err
}

// isLocked tells whether somebody has the store open.
func isLocked(err error) bool {
	return errors.As(err, new(*storage.LockedError)) && !errors.Is(err, os.ErrPermission)
}

// checkOffline checks a store that nobody has open.
func checkOffline(cmd *cobra.Command, c *config, dir string) (checked, error) {
	s, err := openOffline(cmd.ErrOrStderr(), c, dir)
	if damaged := new(damagedError); errors.As(err, &damaged) {
		return newUnopenable(damaged), nil
	}
	if err != nil {
		return checked{}, err
	}
	defer s.Close() // nothing was written
	b := newBar(cmd.ErrOrStderr(), "check")
	defer b.close()
	report, err := s.Check(cmd.Context(), b.at)
	return newChecked(report), err
}

func (f *clientFlags) checkRunning(cmd *cobra.Command) (report checked, err error) {
	err = f.work(cmd, "check", func(ctx context.Context, conn *grpc.ClientConn, b *bar) error {
		stream, err := tangledv1.NewUpkeepServiceClient(conn).CheckStore(ctx, &tangledv1.CheckStoreRequest{})
		return eachStep(stream, err, b, func(step *tangledv1.CheckStoreResponse) { report = checkedByNode(step.GetReport()) })
	})
	return report, err
}

// backUp copies the config's store into dir, which must not be there; where a node
// has it open, the node does.
func (f *clientFlags) backUp(cmd *cobra.Command, dir string, verify bool) error {
	c, err := f.localConfig()
	if err != nil {
		return err
	}
	if c != nil {
		err = backUpOffline(cmd, c, dir)
	}
	if c == nil || isLocked(err) {
		err = f.call(cmd.Context(), func(ctx context.Context, conn *grpc.ClientConn) error {
			_, err := tangledv1.NewUpkeepServiceClient(conn).Backup(ctx, &tangledv1.BackupRequest{Path: dir})
			return err
		})
	}
	if err != nil {
		return err
	}
	report := backedUp{Dir: dir}
	if verify {
		if report.Checked, err = checkBackup(cmd, dir); err != nil {
			return err
		}
	}
	return report.show(cmd.OutOrStdout(), wantsJSON(cmd))
}

func backUpOffline(cmd *cobra.Command, c *config, dir string) error {
	s, err := openOffline(cmd.ErrOrStderr(), c, "")
	if err != nil {
		return err
	}
	return errors.Join(s.Backup(cmd.Context(), dir), s.Close())
}

// checkBackup checks a new backup. One that the node made on another machine is not
// here.
func checkBackup(cmd *cobra.Command, dir string) (*checked, error) {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s is on the node's machine: check it there, with tangled db check --dir, or give --verify=false", dir)
	}
	report, err := checkOffline(cmd, nil, dir)
	if err == nil && report.Damaged > 0 {
		err = fmt.Errorf("%s is damaged, and so may be the store: %w", dir, report.err())
	}
	return &report, err
}
