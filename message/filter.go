package message

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// Filter selects topics by the rules of MQTT (5.0, section 4.7): '+' stands
// for one level, a final '#' for the parent level and all below it. Topics
// that begin with '$' are matched only by filters that begin so too. The zero
// Filter matches nothing.
type Filter struct {
	levels []string
	text   string
}

// ParseFilter reads a topic filter. The error is an *InvalidError.
func ParseFilter(s string) (Filter, error) {
	if s == "" || len(s) > MaxTopicSize || !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return Filter{}, invalidf(ReasonTopic, "topic filter %q is empty, too long or not UTF-8", s)
	}
	levels := strings.Split(s, "/")
	for i, level := range levels {
		switch {
		case level == "+", level == "#" && i == len(levels)-1:
		case strings.ContainsAny(level, "+#"):
			return Filter{}, &InvalidError{ReasonTopic, errors.New("topic filter: '+' fills a whole level, '#' the last one")}
		}
	}
	return Filter{levels: levels, text: s}, nil
}

// String is the filter as it was parsed.
func (f Filter) String() string { return f.text }

// Exact reports whether the filter has no wildcard and so names one topic.
func (f Filter) Exact() bool { return f.text != "" && !strings.ContainsAny(f.text, "+#") }

// All reports whether the filter is "#".
func (f Filter) All() bool { return f.text == "#" }

// Match reports whether the filter selects topic.
func (f Filter) Match(topic string) bool {
	if len(f.levels) == 0 || strings.HasPrefix(topic, "$") != strings.HasPrefix(f.text, "$") {
		return false
	}
	rest, more := topic, true
	for _, level := range f.levels {
		if level == "#" {
			return true
		}
		if !more {
			return false
		}
		var head string
		head, rest, more = strings.Cut(rest, "/")
		if level != "+" && level != head {
			return false
		}
	}
	return !more
}
