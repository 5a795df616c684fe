package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/genesis"
	"tangled/snapshot"
)

// snapshotFiles completes names of snapshot files.
func snapshotFiles(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []string{"tsnap"}, cobra.ShellCompDirectiveFilterFileExt
}

// trusted is J:HASH, a commitment that the operator vouches for; of anchor 0 where
// there is none.
type trusted snapshot.Trust

func (t trusted) String() string {
	if t.Index == 0 {
		return ""
	}
	return fmt.Sprintf("%d:%x", t.Index, t.Commitment)
}

// option is nil for none.
func (t trusted) option() *snapshot.Trust {
	if t.Index == 0 {
		return nil
	}
	return (*snapshot.Trust)(&t)
}

func parseTrusted(s string) (trusted, error) {
	if s == "" {
		return trusted{}, nil
	}
	number, hash, _ := strings.Cut(s, ":")
	index, err := strconv.ParseUint(number, 10, 64)
	raw, hexErr := hex.DecodeString(hash)
	if err != nil || hexErr != nil || index == 0 || len(raw) != 32 {
		return trusted{}, fmt.Errorf("%q: want an anchor and its commitment, J:HASH, 64 hexadecimal digits", s)
	}
	return trusted{Index: index, Commitment: [32]byte(raw)}, nil
}

// genesis is that of --genesis, or that of the config.
func (f *clientFlags) genesis(path string) (*genesis.Genesis, error) {
	if path == "" {
		c, err := f.localConfig()
		if err != nil {
			return nil, err
		}
		if c == nil {
			return nil, usagef("--genesis is missing: the file of the network")
		}
		path = c.Genesis
	}
	g, err := readGenesis(path)
	if err != nil {
		return nil, &exitError{code: exitUsage, err: err}
	}
	return g, nil
}

// readSnapshot verifies a snapshot file, or what comes on standard input for "-".
// That there is no file to be read is wrong use.
func readSnapshot(cmd *cobra.Command, path string, options snapshot.ReadOptions) (snapshot.Info, error) {
	b := newBar(cmd.ErrOrStderr(), "verify")
	defer b.close()
	in := &countedReader{r: cmd.InOrStdin(), told: func(done uint64) { b.at(done, 0) }}
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return snapshot.Info{}, &exitError{code: exitUsage, err: err}
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil || info.IsDir() {
			return snapshot.Info{}, usagef("%s is not a file", path)
		}
		in.r, in.told = f, func(done uint64) { b.at(done, uint64(info.Size())) }
	}
	info, err := snapshot.Read(cmd.Context(), in, options, snapshot.Sink{})
	if invalid := new(snapshot.InvalidError); errors.As(err, &invalid) {
		return info, fmt.Errorf("%s: %w", path, invalid)
	}
	return info, err
}

// countedReader tells how much was read of r.
type countedReader struct {
	r    io.Reader
	done uint64
	told func(done uint64)
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.done += uint64(n)
	c.told(c.done)
	return n, err
}

// snapshotFile is a snapshot on a node's disk in JSON. Of a list there is no more
// than the name says.
type snapshotFile struct {
	Anchor     uint64     `json:"anchor"`
	Path       string     `json:"path"`
	Bytes      uint64     `json:"bytes"`
	LedgerTime *time.Time `json:"ledger_time,omitempty"`
	Commitment hexBytes   `json:"commitment,omitempty"`
	Digest     hexBytes   `json:"digest,omitempty"`
	Accounts   *uint64    `json:"accounts,omitempty"`
	Anchors    *uint64    `json:"anchors,omitempty"`
	Messages   *uint64    `json:"messages,omitempty"`
}

func newSnapshotFile(s *tangledv1.Snapshot) snapshotFile {
	f := snapshotFile{Anchor: s.GetAnchor(), Path: s.GetPath(), Bytes: s.GetSize(), LedgerTime: timeOf(s.GetLedgerTimeNs()),
		Commitment: s.GetCommitment(), Digest: s.GetDigest()}
	if len(f.Digest) > 0 {
		accounts, anchors, messages := s.GetAccounts(), s.GetAnchors(), s.GetMessages()
		f.Accounts, f.Anchors, f.Messages = &accounts, &anchors, &messages
	}
	return f
}

func (f snapshotFile) show(out io.Writer, asJSON bool) error {
	if asJSON {
		return writeJSON(out, f)
	}
	t := newTable(out)
	t.row("anchor", strconv.FormatUint(f.Anchor, 10))
	t.row("ledger time", timeText(f.LedgerTime))
	t.row("commitment", f.Commitment.String())
	t.row("digest", f.Digest.String())
	for _, n := range []struct {
		name  string
		value *uint64
	}{{"accounts", f.Accounts}, {"anchors", f.Anchors}, {"messages", f.Messages}, {"bytes", &f.Bytes}} {
		if n.value != nil {
			t.row(n.name, strconv.FormatUint(*n.value, 10))
		}
	}
	t.row("path", f.Path)
	return t.flush()
}

// snapshotContent is a verified snapshot in JSON.
type snapshotContent struct {
	Valid      bool       `json:"valid"`
	NetworkID  hexBytes   `json:"network_id"`
	Anchor     uint64     `json:"anchor"`
	LedgerTime *time.Time `json:"ledger_time"`
	Commitment hexBytes   `json:"commitment"`
	Digest     hexBytes   `json:"digest"`
	Round      uint64     `json:"round"`
	Signers    []int      `json:"signers"`
	Trusted    bool       `json:"trusted"`
	First      uint64     `json:"first"`
	Anchors    uint64     `json:"anchors"`
	Messages   uint64     `json:"messages"`
	Accounts   uint64     `json:"accounts"`
	Transfers  uint64     `json:"transfers"`
	Body       int64      `json:"body_bytes"`
	File       int64      `json:"file_bytes"`
}

func newSnapshotContent(i snapshot.Info) snapshotContent {
	c := snapshotContent{
		Valid: true, NetworkID: i.Network[:], Anchor: i.Index, LedgerTime: timeOf(i.Time), Commitment: i.Commitment[:],
		Digest: i.Digest[:], Round: i.Round, Signers: []int{}, Trusted: i.Trusted, First: i.First, Anchors: i.Anchors,
		Messages: i.Messages, Accounts: i.Accounts, Transfers: i.Transfers, Body: i.Body, File: i.File,
	}
	for _, s := range i.Signatures {
		c.Signers = append(c.Signers, int(s.Seat))
	}
	return c
}

func (c snapshotContent) show(out io.Writer, asJSON bool) error {
	if asJSON {
		return writeJSON(out, c)
	}
	by := "a quorum"
	if c.Trusted {
		by = "your word"
	}
	t := newTable(out)
	t.row("valid", "by "+by)
	t.row("network", c.NetworkID.String())
	t.row("anchor", strconv.FormatUint(c.Anchor, 10))
	t.row("ledger time", timeText(c.LedgerTime))
	t.row("commitment", c.Commitment.String())
	t.row("digest", c.Digest.String())
	t.row("signed", fmt.Sprintf("by seats %s", strings.Trim(fmt.Sprint(c.Signers), "[]")))
	t.row("lists", fmt.Sprintf("of %d anchors, %d to %d", c.Anchors, c.First, c.Anchor))
	t.row("messages", strconv.FormatUint(c.Messages, 10))
	t.row("accounts", strconv.FormatUint(c.Accounts, 10))
	t.row("transfers", fmt.Sprintf("%d that have not expired", c.Transfers))
	t.row("bytes", fmt.Sprintf("%d, %d compressed", c.Body, c.File))
	return t.flush()
}
