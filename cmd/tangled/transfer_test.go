package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/message"
)

func TestTransferDraft(t *testing.T) {
	key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	text, err := encodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "alice.key")
	if err := writeFile(path, text, secretMode); err != nil {
		t.Fatal(err)
	}
	good := transferFlags{key: path, to: []string{testAddress + "=5", testAddress + "=7"}, nonce: 9, validFor: time.Hour, wait: waitFinal}
	draft, owner, err := good.draft()
	if err != nil || !owner.Equal(key) || draft.Nonce != 9 || draft.Sum() != 12 || len(draft.Outputs) != 2 {
		t.Errorf("got %+v, %v", draft, err)
	}
	for want, change := range map[string]func(*transferFlags){
		"--key is missing":      func(f *transferFlags) { f.key = "" },
		"--to: ":                func(f *transferFlags) { f.to = nil },
		"--to \"5\": want":      func(f *transferFlags) { f.to = []string{"5"} },
		"--to: invalid":         func(f *transferFlags) { f.to = []string{testAddress + "=18446744073709551615", testAddress + "=1"} },
		"--valid-for 0s: want":  func(f *transferFlags) { f.validFor = 0 },
		"--valid-for -1s: want": func(f *transferFlags) { f.validFor = -time.Second },
		"--valid-for 24h0m0.00": func(f *transferFlags) { f.validFor = message.MaxValidity + time.Millisecond },
		"--wait \"ever\": want": func(f *transferFlags) { f.wait = "ever" },
	} {
		bad := good
		change(&bad)
		if _, _, err := bad.draft(); exitCode(err, true) != exitUsage || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want wrong use: %s", err, want)
		}
	}
	longest := good
	longest.validFor = message.MaxValidity
	if _, _, err := longest.draft(); err != nil {
		t.Error(err)
	}
}

// Only an applied transfer ends well, and every other says by name why not.
func TestFate(t *testing.T) {
	if err := (transferReport{}).fate(nil); err != nil {
		t.Errorf("not final: got %v", err)
	}
	for number, name := range tangledv1.Outcome_name {
		f := &tangledv1.Final{Anchor: 1, Outcome: tangledv1.Outcome(number)}
		var r transferReport
		r.setFinal(f)
		err := r.fate(f)
		switch {
		case name == "OUTCOME_APPLIED":
			if err != nil {
				t.Errorf("%s: got %v", name, err)
			}
		case exitCode(err, true) != exitNotApplied || !strings.HasSuffix(err.Error(), ": "+r.Outcome):
			t.Errorf("%s: got %v", name, err)
		}
	}
}
