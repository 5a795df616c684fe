package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/spf13/cobra"

	"tangled/storage"
)

func newDBRestoreCommand(client *clientFlags) *cobra.Command {
	var dir string
	var replace bool
	cmd := &cobra.Command{
		Use:   "restore BACKUP",
		Short: "Put a backup in the place of a node's store",
		Long: `restore copies a backup, checks every row of the copy, and puts it in the place of the
store. The node must not run. A data directory that has a store is refused, but with
--replace: then the old one is moved aside, and its new name is printed. The old store
stays as it is until the copy is whole; a crash leaves one of the two in place.

What came after the backup the node fetches from its peers. A node with a seat may
have written witnesses since, which the backup does not know: the restored store has
no memory of any, and a first-start file beside the node's key is removed, so that the
seat asks the others before it writes again. In a network of up to three seats they
are no quorum and cannot tell. There restore only a backup of after the seat's last
witness, and give tangled run --first-start once.`,
		Example: `  tangled db restore --config net/node1/tangled.toml /backup/node1-monday
  tangled db restore --dir net/node1/data /backup/node1-monday --replace`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: oneDir,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := client.localConfig()
			if err != nil {
				return err
			}
			r := restoration{backup: args[0], dir: dir, replace: replace}
			if c == nil && dir == "" {
				return usagef("which store? Give --config or --dir")
			}
			if c != nil {
				r.keyDir = filepath.Dir(c.Key)
			}
			if dir == "" {
				r.dir = c.DataDir
			}
			if c == nil {
				r.keyDir = filepath.Dir(filepath.Clean(dir)) // as init lays it out
			}
			done, err := r.run(cmd, c)
			if err != nil {
				return err
			}
			return done.show(cmd.OutOrStdout(), wantsJSON(cmd))
		},
	}
	addDirFlag(cmd, &dir)
	cmd.Flags().BoolVar(&replace, "replace", false, "move the store that is there aside")
	return cmd
}

// restoration puts the copy of a backup in the place of a store.
type restoration struct {
	backup  string
	dir     string // data directory
	keyDir  string // where a first-start file may be
	replace bool
}

// restored tells what was done, in JSON.
type restored struct {
	Dir          string  `json:"dir"`
	Old          string  `json:"old,omitempty"`
	Checked      checked `json:"checked"`
	Anchor       uint64  `json:"anchor"`
	Messages     uint64  `json:"messages"`
	HadWitnesses bool    `json:"had_witnesses"`
}

func (r restored) show(out io.Writer, asJSON bool) error {
	if asJSON {
		return writeJSON(out, r)
	}
	fmt.Fprintf(out, "restored %s: anchor %d, %d messages, verified\n", plain(r.Dir), r.Anchor, r.Messages)
	if r.Old != "" {
		fmt.Fprintf(out, "the store that was there is %s: remove it when the node runs well\n", plain(r.Old))
	}
	if r.HadWitnesses {
		fmt.Fprintln(out, "this node's seat asks the others what they have seen of it before it writes again")
	}
	return nil
}

// run copies, checks and puts in place. Until the last step the old store is where
// it was.
func (r restoration) run(cmd *cobra.Command, c *config) (done restored, err error) {
	from, err := storeIn(r.backup)
	if err != nil {
		return done, err
	}
	target := filepath.Join(r.dir, storeFolder)
	if same, err := samePlace(from, target); err != nil || same {
		return done, errors.Join(err, usagef("%s is the store itself", r.backup))
	}
	unlock, err := r.claim(from, target)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return done, err
	}
	temp, err := os.MkdirTemp(r.dir, ".restore-")
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	fresh := filepath.Join(temp, storeFolder)
	if err := copyStore(cmd, from, fresh); err != nil {
		return done, err
	}
	if done, err = prepare(cmd, c, temp); err != nil {
		return done, err
	}
	// Before the store is there: no seat may begin as new on it.
	if err := (&firstStart{path: filepath.Join(r.keyDir, firstStartFile)}).remove(); err != nil {
		return done, err
	}
	done.Dir = target
	done.Old, err = r.swap(fresh, target)
	return done, err
}

// samePlace tells whether two paths are one folder.
func samePlace(a, b string) (bool, error) {
	first, err := os.Stat(a)
	if err != nil {
		return false, err
	}
	second, err := os.Stat(b)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(first, second), err
}

// claim keeps nodes away from both stores, and refuses a target that is not to be
// replaced.
func (r restoration) claim(from, target string) (unlock func() error, err error) {
	source, err := storage.Lock(from, vfs.Default)
	if err != nil {
		return nil, err
	}
	_, err = os.Lstat(target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return source.Close, nil
	case err != nil:
		return nil, errors.Join(err, source.Close())
	}
	old, err := storage.Lock(target, vfs.Default)
	if isLocked(err) {
		return nil, errors.Join(fmt.Errorf("a node has %s open: stop it first", target), source.Close())
	}
	if err == nil && !r.replace {
		err = errors.Join(fmt.Errorf("%s is there already: give --replace to have it moved aside", target), old.Close())
	}
	if err != nil {
		return nil, errors.Join(err, source.Close())
	}
	return func() error { return errors.Join(old.Close(), source.Close()) }, nil
}

// prepare checks the copy in dir and makes it forget what its seat wrote.
func prepare(cmd *cobra.Command, c *config, dir string) (done restored, err error) {
	s, err := openOffline(cmd.ErrOrStderr(), c, dir)
	if damaged := new(damagedError); errors.As(err, &damaged) {
		return done, fmt.Errorf("the backup is damaged: %w", damaged.err)
	}
	if err != nil {
		return done, fmt.Errorf("the backup cannot be opened: %w", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	b := newBar(cmd.ErrOrStderr(), "check")
	defer b.close()
	report, err := s.Check(cmd.Context(), b.at)
	if err != nil {
		return done, err
	}
	done.Checked = newChecked(report)
	if err := done.Checked.err(); err != nil {
		return done, fmt.Errorf("the backup is damaged, see tangled db check --dir: %w", err)
	}
	_, _, _, done.HadWitnesses = s.OwnWitness()
	done.Anchor, done.Messages = s.LastAnchor(), s.Count()
	return done, s.ForgetWitnesses()
}

// swap moves the old store aside, if there is one, and the fresh one in its place.
func (r restoration) swap(fresh, target string) (old string, err error) {
	if _, err := os.Lstat(target); err == nil {
		old = target + ".old-" + time.Now().UTC().Format("20060102T150405.000Z")
		if err := os.Rename(target, old); err != nil {
			return "", err
		}
	}
	if err := os.Rename(fresh, target); err != nil {
		if old != "" {
			err = errors.Join(err, os.Rename(old, target))
		}
		return "", err
	}
	return old, errors.Join(syncDir(r.dir), syncDir(filepath.Dir(r.dir)))
}

// copyStore copies the files of a store and syncs them: links would share what may
// go bad on the disk.
func copyStore(cmd *cobra.Command, from, to string) error {
	files, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	var total, done uint64
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			return err
		}
		total += uint64(info.Size())
	}
	b := newBar(cmd.ErrOrStderr(), "copy")
	defer b.close()
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	for _, f := range files {
		if !f.Type().IsRegular() {
			continue
		}
		told := func(n uint64) { b.at(done+n, total) }
		n, err := copyFile(cmd.Context(), filepath.Join(from, f.Name()), filepath.Join(to, f.Name()), told)
		if err != nil {
			return err
		}
		done += n
	}
	return syncDir(to)
}

func copyFile(ctx context.Context, from, to string, told func(uint64)) (n uint64, err error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	counted := &countedReader{r: in, told: told}
	for err == nil && ctx.Err() == nil {
		_, err = io.CopyN(out, counted, int64(mebibyte))
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return counted.done, errors.Join(err, ctx.Err(), out.Sync(), out.Close())
}
