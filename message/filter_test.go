package message_test

import (
	"strings"
	"testing"

	"tangled/message"
)

// TestFilterMatch has the examples of MQTT 5.0, section 4.7, and the corners
// around them.
func TestFilterMatch(t *testing.T) {
	tests := []struct {
		filter string
		match  []string
		not    []string
	}{
		// 4.7.1.2, multi-level wildcard.
		{"sport/tennis/player1/#",
			[]string{"sport/tennis/player1", "sport/tennis/player1/ranking", "sport/tennis/player1/score/wimbledon"},
			[]string{"sport/tennis", "sport/tennis/player2", "sport/tennis/player10", "sport/tennis/player1x/y"}},
		{"sport/#", []string{"sport", "sport/", "sport/tennis"}, []string{"sports", "/sport"}},
		{"#", []string{"a", "/", "/a", "a/b/c"}, []string{"$SYS", "$SYS/a", "$"}},
		{"sport/tennis/#", []string{"sport/tennis", "sport/tennis/a/b"}, []string{"sport"}},
		// 4.7.1.3, single-level wildcard.
		{"sport/tennis/+",
			[]string{"sport/tennis/player1", "sport/tennis/player2", "sport/tennis/"},
			[]string{"sport/tennis", "sport/tennis/player1/ranking"}},
		{"sport/+", []string{"sport/", "sport/x"}, []string{"sport", "sport/x/", "sport/x/y"}},
		{"+", []string{"a", "finance"}, []string{"/finance", "a/", "$SYS"}},
		{"+/+", []string{"/finance", "a/b", "/"}, []string{"finance", "a/b/c", "$SYS/a"}},
		{"/+", []string{"/finance", "/"}, []string{"finance", "/a/b"}},
		{"+/tennis/#", []string{"x/tennis", "x/tennis/y", "/tennis"}, []string{"x/y/tennis", "tennis", "$x/tennis"}},
		{"sport/+/player1", []string{"sport/tennis/player1", "sport//player1"}, []string{"sport/player1", "sport/a/b/player1"}},
		{"+/#", []string{"a", "a/b", "/"}, []string{"$SYS", "$SYS/a"}},
		{"+/+/#", []string{"a/b", "a/b/c", "/"}, []string{"a"}},
		// 4.7.2, topics that begin with $.
		{"$SYS/#", []string{"$SYS", "$SYS/", "$SYS/monitor/Clients"}, []string{"SYS", "SYS/a", "$SYSTEM"}},
		{"$SYS/monitor/+", []string{"$SYS/monitor/Clients"}, []string{"$SYS/monitor", "SYS/monitor/Clients"}},
		{"+/monitor/Clients", []string{"a/monitor/Clients"}, []string{"$SYS/monitor/Clients"}},
		{"a/+", []string{"a/$b"}, nil},
		{"a/#", []string{"a/$b/c"}, nil},
		{"/#", []string{"/", "/$a"}, []string{"$a", "a"}},
		// 4.7.3, semantics.
		{"ACCOUNTS", []string{"ACCOUNTS"}, []string{"Accounts", "accounts", "ACCOUNTS/", "/ACCOUNTS"}},
		{"/finance", []string{"/finance"}, []string{"finance", "//finance"}},
		{"/", []string{"/"}, []string{"a", "//", "a/"}},
		{"a//b", []string{"a//b"}, []string{"a/b", "a///b"}},
		{"Accounts payable/süd", []string{"Accounts payable/süd"}, []string{"Accounts payable/sud"}},
	}
	for _, test := range tests {
		t.Run(test.filter, func(t *testing.T) {
			f, err := message.ParseFilter(test.filter)
			if err != nil {
				t.Fatal(err)
			}
			if f.String() != test.filter {
				t.Errorf("String is %q", f.String())
			}
			if want := !strings.ContainsAny(test.filter, "+#"); f.Exact() != want {
				t.Errorf("Exact is %v", f.Exact())
			}
			if want := test.filter == "#"; f.All() != want {
				t.Errorf("All is %v", f.All())
			}
			for _, topic := range test.match {
				if !f.Match(topic) {
					t.Errorf("does not match %q", topic)
				}
			}
			for _, topic := range test.not {
				if f.Match(topic) {
					t.Errorf("matches %q", topic)
				}
			}
		})
	}
}

func TestFilterRefused(t *testing.T) {
	for _, s := range []string{
		"", "sport/tennis#", "sport/tennis/#/ranking", "#/a", "##", "sport+", "+a", "a/b+/c", "++", "a/+#", "#+",
		"a\x00b", "\x00", "a/\xff", strings.Repeat("a", 257), strings.Repeat("+/", 128) + "+",
	} {
		f, err := message.ParseFilter(s)
		wantReason(t, err, message.ReasonTopic)
		if f.Match("a") || f.String() != "" {
			t.Errorf("a filter came with the error for %q", s)
		}
	}
	if _, err := message.ParseFilter(strings.Repeat("a", 256)); err != nil {
		t.Error(err)
	}
}

func TestFilterZero(t *testing.T) {
	var f message.Filter
	if f.Match("a") || f.Match("") || f.Exact() || f.All() || f.String() != "" {
		t.Error("the zero Filter selects something")
	}
}

// matchLevels is section 4.7 once more, as a recursion over whole levels.
func matchLevels(filter, topic []string) bool {
	switch {
	case len(filter) == 0:
		return len(topic) == 0
	case filter[0] == "#":
		return true
	case len(topic) == 0:
		return false
	}
	return (filter[0] == "+" || filter[0] == topic[0]) && matchLevels(filter[1:], topic[1:])
}

func FuzzFilter(f *testing.F) {
	f.Add("sport/+/#", "sport/tennis")
	f.Fuzz(func(t *testing.T, filter, topic string) {
		parsed, err := message.ParseFilter(filter)
		if err != nil {
			wantReason(t, err, message.ReasonTopic)
			return
		}
		if message.ValidateTopic(topic) != nil {
			parsed.Match(topic)
			return
		}
		want := matchLevels(strings.Split(filter, "/"), strings.Split(topic, "/"))
		if topic[0] == '$' && (filter[0] == '#' || filter[0] == '+') {
			want = false
		}
		if got := parsed.Match(topic); got != want {
			t.Fatalf("filter %q, topic %q: %v, want %v", filter, topic, got, want)
		}
		if parsed.Exact() && (topic == filter) != want {
			t.Fatalf("exact filter %q, topic %q: %v", filter, topic, want)
		}
		if parsed.Exact() != (message.ValidateTopic(filter) == nil) {
			t.Fatalf("filter %q: exact, and no topic", filter)
		}
		if parsed.All() && !want && topic[0] != '$' {
			t.Fatalf("filter %q is for all but %q", filter, topic)
		}
	})
}
