package api

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"tangled/message"
	"tangled/storage"
)

func TestPageTokenIsBoundToItsQuery(t *testing.T) {
	genesis := message.NewID(1, [32]byte{1})
	issuer, other := message.Issuer{1}, message.Issuer{2}
	base := selection{kinds: dataOnly, Query: storage.Query{Topics: topicFilter(t, "a/#"), Issuer: &issuer, From: 10, To: 100}}
	last := message.NewID(50, [32]byte{9})
	token := newPageToken(genesis, base).at(last)

	if got, err := parsePageToken(token, genesis, base); err != nil || got != last {
		t.Fatalf("parse: %v, %v; want %v", got, err, last)
	}
	change := func(f func(q *selection)) selection {
		q := base
		f(&q)
		return q
	}
	tests := map[string]selection{
		"topic":      change(func(q *selection) { q.Topics = topicFilter(t, "a/+") }),
		"no topic":   change(func(q *selection) { q.Topics = message.Filter{} }),
		"issuer":     change(func(q *selection) { q.Issuer = &other }),
		"no issuer":  change(func(q *selection) { q.Issuer = nil }),
		"from":       change(func(q *selection) { q.From = 11 }),
		"to":         change(func(q *selection) { q.To = 0 }),
		"descending": change(func(q *selection) { q.Descending = true }),
		"kinds":      change(func(q *selection) { q.kinds |= 1 << message.KindWitness }),
	}
	for name, q := range tests {
		if _, err := parsePageToken(token, genesis, q); !isPageTokenError(err) {
			t.Errorf("another %s: error %v, want a page token error", name, err)
		}
	}
	if _, err := parsePageToken(token, message.NewID(1, [32]byte{2}), base); !isPageTokenError(err) {
		t.Errorf("another network: error %v", err)
	}
}

func TestPageTokenDamage(t *testing.T) {
	genesis := message.NewID(1, [32]byte{1})
	q := selection{Query: storage.Query{From: 10, To: 100}}
	good := newPageToken(genesis, q)
	raw := func(id message.ID, change func(b []byte) []byte) string {
		b, err := base64.RawURLEncoding.DecodeString(good.at(id))
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(change(b))
	}
	last := message.NewID(50, [32]byte{9})
	keep := func(b []byte) []byte { return b }
	tests := map[string]string{
		"not base64":    "***",
		"padded":        good.at(last) + "=",
		"short":         raw(last, func(b []byte) []byte { return b[:len(b)-1] }),
		"long":          raw(last, func(b []byte) []byte { return append(b, 0) }),
		"version":       raw(last, func(b []byte) []byte { b[0]++; return b }),
		"selection":     raw(last, func(b []byte) []byte { b[5] ^= 1; return b }),
		"before from":   raw(message.NewID(9, [32]byte{}), keep),
		"at to":         raw(message.NewID(100, [32]byte{}), keep),
		"very long":     strings.Repeat("A", 10_000),
		"version alone": "AQ",
	}
	for name, token := range tests {
		if _, err := parsePageToken(token, genesis, q); !isPageTokenError(err) {
			t.Errorf("%s: error %v, want a page token error", name, err)
		}
	}
}

func TestPageTokenOfNoMessage(t *testing.T) {
	token := newPageToken(message.ID{1}, selection{}).at(message.ID{})
	if _, err := parsePageToken(token, message.ID{1}, selection{}); !isPageTokenError(err) {
		t.Errorf("zero ID: error %v, want a page token error", err)
	}
}

func isPageTokenError(err error) bool {
	argument := new(argumentError)
	return errors.As(err, &argument) && argument.Reason == "PAGE_TOKEN"
}

func topicFilter(t *testing.T, s string) message.Filter {
	t.Helper()
	f, err := message.ParseFilter(s)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
