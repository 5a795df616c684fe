package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strconv"

	"github.com/cockroachdb/pebble/v2/vfs"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/message"
	"tangled/storage"
)

// storeFolder is where in a data directory the store is.
const storeFolder = "db"

// storeIn is the folder of the store in dir, which is a data directory or a backup.
func storeIn(dir string) (string, error) {
	for _, path := range []string{filepath.Join(dir, storeFolder), dir} {
		found, err := storage.Exists(path, vfs.Default)
		if err != nil {
			return "", err
		}
		if found {
			return path, nil
		}
	}
	return "", &exitError{code: exitNotFound, err: fmt.Errorf("there is no store in %s", dir)}
}

// openOffline opens the store in dir, else the config's. With a config it must be
// of the config's network. The error is a *storage.LockedError where a node runs.
func openOffline(logs io.Writer, c *config, dir string) (*storage.Store, error) {
	if dir == "" {
		dir = c.DataDir
	}
	path, err := storeIn(dir)
	if err != nil {
		return nil, err
	}
	logger := slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if c == nil {
		return openAny(path, logger)
	}
	g, err := readGenesis(c.Genesis)
	if err != nil {
		return nil, c.fail("genesis", err)
	}
	s, err := storage.Open(path, g.Network(), storage.Options{Logger: logger})
	if other := new(storage.NetworkError); errors.As(err, &other) {
		return nil, fmt.Errorf("%s belongs to network %x and %s is of network %x", path, other.Has, c.Genesis, other.Want)
	}
	return s, err
}

// openAny opens a store of whatever network it is.
func openAny(path string, logger *slog.Logger) (*storage.Store, error) {
	s, err := storage.Open(path, message.NetworkID{}, storage.Options{Logger: logger})
	if other := new(storage.NetworkError); errors.As(err, &other) {
		return storage.Open(path, other.Has, storage.Options{Logger: logger})
	}
	return s, err
}

// checked is what a check of a store found, in JSON.
type checked struct {
	OK      bool          `json:"ok"`
	Rows    uint64        `json:"rows"`
	Tables  []tableRow    `json:"tables"`
	Damages []storeDamage `json:"damages"` // the first ones
	Damaged uint64        `json:"damaged"` // how many in all
}

type tableRow struct {
	Table string `json:"table"`
	Rows  uint64 `json:"rows"`
}

type storeDamage struct {
	Table string   `json:"table"`
	Key   hexBytes `json:"key"`
	Error string   `json:"error"`
}

func newChecked(r storage.CheckReport) checked {
	c := checked{Tables: []tableRow{}, Damages: []storeDamage{}, Damaged: r.Damaged}
	for _, t := range r.Tables {
		c.Tables = append(c.Tables, tableRow{string(rune(t.Table)), t.Rows})
	}
	for _, d := range r.Damages {
		c.Damages = append(c.Damages, storeDamage{string(rune(d.Table)), d.Key, d.Err.Error()})
	}
	return c.sum()
}

func checkedByNode(r *tangledv1.CheckReport) checked {
	c := checked{Tables: []tableRow{}, Damages: []storeDamage{}, Damaged: r.GetTotal()}
	for _, t := range r.GetTables() {
		c.Tables = append(c.Tables, tableRow{t.GetTable(), t.GetRows()})
	}
	for _, d := range r.GetDamages() {
		c.Damages = append(c.Damages, storeDamage{d.GetTable(), d.GetKey(), d.GetError()})
	}
	return c.sum()
}

func (c checked) sum() checked {
	for _, t := range c.Tables {
		c.Rows += t.Rows
	}
	c.OK = c.Damaged == 0
	return c
}

// err is an error for a damaged store.
func (c checked) err() error {
	switch c.Damaged {
	case 0:
		return nil
	case 1:
		return errors.New("1 damage")
	}
	return fmt.Errorf("%d damages", c.Damaged)
}

// show prints the report; damages are an error.
func (c checked) show(out io.Writer, asJSON bool) error {
	var err error
	if asJSON {
		err = writeJSON(out, c)
	} else {
		err = c.print(out)
	}
	if err != nil || c.OK {
		return err
	}
	return fmt.Errorf("the store is damaged: %w", c.err())
}

func (c checked) print(out io.Writer) error {
	t := newTable(out, "TABLE", "ROWS")
	for _, row := range c.Tables {
		t.row(row.Table, strconv.FormatUint(row.Rows, 10))
	}
	t.row("all", strconv.FormatUint(c.Rows, 10))
	if err := t.flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	if c.OK {
		_, err := fmt.Fprintln(out, "no damage")
		return err
	}
	t = newTable(out, "TABLE", "KEY", "DAMAGE")
	for _, d := range c.Damages {
		t.row(d.Table, hex.EncodeToString(d.Key), d.Error)
	}
	if more := c.Damaged - min(c.Damaged, uint64(len(c.Damages))); more > 0 {
		t.row("...", "", fmt.Sprintf("and %d more", more))
	}
	return t.flush()
}

// backedUp tells of a backup, in JSON.
type backedUp struct {
	Dir     string   `json:"dir"`
	Checked *checked `json:"checked,omitempty"`
}

func (b backedUp) show(out io.Writer, asJSON bool) error {
	if asJSON {
		return writeJSON(out, b)
	}
	text := "not verified"
	if b.Checked != nil {
		text = fmt.Sprintf("verified, %d rows", b.Checked.Rows)
	}
	_, err := fmt.Fprintf(out, "backed up to %s: %s\n", plain(b.Dir), text)
	return err
}
