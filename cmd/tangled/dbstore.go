package main

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/storage"
)

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

// storeDamage is a row that is damaged, or, without a table and a key, what keeps the
// store from being opened.
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

// newUnopenable is the report of a store that is too damaged to be read at all.
func newUnopenable(e *damagedError) checked {
	damage := storeDamage{Error: e.err.Error()}
	if row := new(storage.CorruptionError); errors.As(e.err, &row) {
		damage = storeDamage{string(rune(row.Table)), row.Key, row.Err.Error()}
	}
	return checked{Tables: []tableRow{}, Damages: []storeDamage{damage}, Damaged: 1}
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
		t.row(cmp.Or(d.Table, "-"), cmp.Or(hex.EncodeToString(d.Key), "-"), d.Error)
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
