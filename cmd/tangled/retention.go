package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tangled/message"
	"tangled/node"
)

// retentionTables is the array of tables with the retention of single topics:
//
//	[[retention]]
//	topic = "city/+/cctv/#"
//	keep = "24h"
const retentionTables = "retention"

// keepTime is how long messages are kept; forever is the zero value.
type keepTime time.Duration

const (
	forever keepTime = 0
	// defaultRetention is that of a middle node: 28 days.
	defaultRetention = keepTime(28 * 24 * time.Hour)
	// longest keeps times well within what nanoseconds can count.
	longest = 100 * 365 * 24 * time.Hour
)

func parseKeepTime(s string) (keepTime, error) {
	if s == "forever" {
		return forever, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q: want a number and a unit, such as \"672h\" for 28 days, or \"forever\"", s)
	}
	if d < time.Second || d > longest {
		return 0, fmt.Errorf("%v is not within 1s..%v", interval(d), keepTime(longest))
	}
	return keepTime(d), nil
}

// String is what parseKeepTime reads back.
func (k keepTime) String() string {
	if k == forever {
		return "forever"
	}
	return interval(k).String()
}

// interval is a time between two things that are done again and again.
type interval time.Duration

func parseInterval(s string) (interval, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q: want a number and a unit, such as \"1h\" or \"15m\"", s)
	}
	if d < time.Second || d > 720*time.Hour {
		return 0, fmt.Errorf("%v is not within 1s..720h", interval(d))
	}
	return interval(d), nil
}

// String has no more units than it needs: 672h, not 672h0m0s.
func (i interval) String() string {
	switch d := time.Duration(i); {
	case d == 0:
		return "0s"
	case d%time.Hour == 0:
		return strconv.FormatInt(int64(d/time.Hour), 10) + "h"
	case d%time.Minute == 0:
		return strings.TrimSuffix(d.String(), "0s")
	default:
		return d.String()
	}
}

// limit is a size that may be off, which is the zero value.
type limit size

// leastLimit is below what a store of a day with its logs and caches takes.
const leastLimit = 64 * mebibyte

func parseLimit(s string) (limit, error) {
	if s == "0" {
		return 0, nil
	}
	n, err := sizeBetween(leastLimit, 1<<30*mebibyte)(s)
	return limit(n), err
}

func (l limit) String() string {
	if l == 0 {
		return "0"
	}
	return size(l).String()
}

// topicRetention is a [[retention]] table: how long messages under a topic are
// kept, whatever storage.retention says of the others.
type topicRetention struct {
	Topic message.Filter
	Keep  keepTime
}

// tableSetting is a string in each [[retention]] table.
func tableSetting[T any](key, help string, field func(*topicRetention) *T, parse func(string) (T, error)) setting {
	return setting{
		key: key, help: help, table: true,
		assign: func(c *config, a assignment) error {
			s, ok := a.value.(string)
			if !ok {
				return wrongType("a string", a.value)
			}
			v, err := parse(s)
			if err != nil {
				return err
			}
			for len(c.Topics) < a.table {
				c.Topics = append(c.Topics, topicRetention{})
			}
			*field(&c.Topics[a.table-1]) = v
			return nil
		},
	}
}

// inTable refuses a key of an array of tables anywhere else.
func inTable(s setting, a assignment) error {
	if s.table && a.table == 0 {
		return fmt.Errorf("this stands in a file, under [[%s]]", retentionTables)
	}
	return nil
}

// isTableArray tells whether a key is that of an array of tables.
func isTableArray(key string) bool { return key == retentionTables }

// tablesOf are the tables of an array; nil for what is none.
func tablesOf(value any) []map[string]any {
	list, ok := value.([]any)
	if !ok {
		return nil
	}
	tables := make([]map[string]any, len(list))
	for i := range list {
		if tables[i], ok = list[i].(map[string]any); !ok {
			return nil
		}
	}
	return tables
}

// tablePlace numbers the first step of a key: retention[2].keep.
func tablePlace(key string, table int) string {
	if table == 0 {
		return key
	}
	first, rest, dotted := strings.Cut(key, ".")
	first += "[" + strconv.Itoa(table) + "]"
	if dotted {
		return first + "." + rest
	}
	return first
}

// formatTables writes the [[retention]] tables, or how one would look.
func (c *config) formatTables(b *strings.Builder) {
	b.WriteString("\n# Topics that are kept for another time than storage.retention, each in a table:\n")
	if len(c.Topics) == 0 {
		b.WriteString("# [[retention]]\n# topic = \"city/+/cctv/#\"\n# keep = \"24h\"\n")
	}
	for _, r := range c.Topics {
		fmt.Fprintf(b, "[[retention]]\ntopic = %s\nkeep = %s\n", quote(r.Topic.String()), quote(r.Keep.String()))
	}
}

// checkRetention refuses what does not go together.
func (c *config) checkRetention() error {
	seen := make(map[string]bool)
	for i, r := range c.Topics {
		for _, name := range []string{"topic", "keep"} {
			if c.origins[tablePlace(retentionTables+"."+name, i+1)] == "" {
				return c.failTable(i, "topic", "keep", fmt.Errorf("%s is missing in this [[%s]] table", name, retentionTables))
			}
		}
		if seen[r.Topic.String()] {
			return c.failTable(i, "topic", "keep", fmt.Errorf("%q has a [[%s]] table already", r.Topic.String(), retentionTables))
		}
		seen[r.Topic.String()] = true
		if r.Keep == forever {
			return c.failTable(i, "keep", "topic", errors.New("to keep a topic for ever, name it in storage.legal_hold"))
		}
	}
	if c.Storage.Retention != forever {
		if c.Role == node.Permanode {
			return c.fail("storage.retention", fmt.Errorf("%v: a permanode deletes nothing: leave it out, or give the node role \"middle\"", c.Storage.Retention))
		}
		return nil
	}
	deletes := errors.New("this node keeps everything, by its role or its storage.retention: leave it out")
	switch {
	case c.Storage.MaxDisk != 0:
		return c.fail("storage.max_disk", fmt.Errorf("%v: %w", c.Storage.MaxDisk, deletes))
	case len(c.Topics) > 0:
		return c.failTable(0, "keep", "topic", deletes)
	}
	return nil
}

// topicRetentions are the [[retention]] tables as the node takes them.
func (c *config) topicRetentions() []node.TopicRetention {
	all := make([]node.TopicRetention, len(c.Topics))
	for i, r := range c.Topics {
		all[i] = node.TopicRetention{Filter: r.Topic, Keep: time.Duration(r.Keep)}
	}
	return all
}

// checkWindow refuses to delete what the live part of the DAG stands on.
func (c *config) checkWindow(window time.Duration) error {
	short := func(k keepTime) bool { return k != forever && time.Duration(k) < 2*window }
	want := fmt.Errorf("want at least twice the network's window of %v", window)
	if k := c.Storage.Retention; short(k) {
		return c.fail("storage.retention", fmt.Errorf("%v: %w", k, want))
	}
	for i, r := range c.Topics {
		if short(r.Keep) {
			return c.failTable(i, "keep", "topic", fmt.Errorf("%v: %w", r.Keep, want))
		}
	}
	return nil
}

// failTable makes the error of the i-th [[retention]] table: at the line of name,
// or at that of another key where this one is not given.
func (c *config) failTable(i int, name, other string, err error) error {
	key := retentionTables + "." + name
	origin := c.origins[tablePlace(key, i+1)]
	if origin == "" {
		origin = c.origins[tablePlace(retentionTables+"."+other, i+1)]
	}
	return &configError{Origin: origin, Key: retentionTables, Err: err}
}
