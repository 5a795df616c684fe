package proof_test

import (
	"errors"
	"slices"
	"testing"

	"tangled/proof"
)

// TestEveryByte changes each byte of a proof in several ways, leaves it out, and
// puts another before it. There are signatures to spare, so that a check which
// merely counted the good ones would let some of it through.
func TestEveryByte(t *testing.T) {
	c, p := laterProof(t)
	text := p.Encode()
	if refused(t, c, text) != "" {
		t.Fatal("the proof is refused as it is")
	}
	reasons := make(map[proof.Reason]int)
	try := func(at int, what string, damaged []byte) {
		reason := refused(t, c, damaged)
		if reason == "" {
			t.Errorf("byte %d (%q) %s: the proof goes through", at, text[at], what)
		}
		reasons[reason]++
	}
	for i, b := range text {
		for _, value := range []byte{
			b ^ 0x01, b ^ 0x08, b ^ 0x20, b ^ 0x80, 0, ' ',
		} {
			if value == b {
				continue
			}
			damaged := slices.Clone(text)
			damaged[i] = value
			try(i, "changed", damaged)
		}
		try(i, "left out", slices.Delete(slices.Clone(text), i, i+1))
		for _, value := range []byte{b, '0'} {
			try(i, "preceded", slices.Insert(slices.Clone(text), i, value))
		}
		if i+1 < len(text) && text[i] != text[i+1] {
			damaged := slices.Clone(text)
			damaged[i], damaged[i+1] = text[i+1], text[i]
			try(i, "swapped with the next", damaged)
		}
	}
	for _, end := range []string{" ", "\n", "\x00", "{}", "}"} {
		try(len(text)-1, "followed", append(slices.Clone(text), end...))
	}
	// The test is worth something only if the damage reaches each of the checks.
	for _, want := range []proof.Reason{
		proof.ReasonEncoding, proof.ReasonMessage, proof.ReasonNetwork, proof.ReasonEpoch, proof.ReasonCommittee,
		proof.ReasonParameters, proof.ReasonInclusion, proof.ReasonTree, proof.ReasonSeat, proof.ReasonSignature,
	} {
		if reasons[want] == 0 {
			t.Errorf("no change was refused for %s: %v", want, reasons)
		}
	}
}

// refused is why a proof is refused, nothing if it is not.
func refused(t *testing.T, c *chain, text []byte) proof.Reason {
	t.Helper()
	p, err := proof.Decode(text)
	if err == nil {
		_, err = p.Verify(c.genesis)
	}
	var invalid *proof.InvalidError
	if err != nil && !errors.As(err, &invalid) {
		t.Fatalf("error %v is no InvalidError", err)
	}
	if invalid == nil {
		return ""
	}
	return invalid.Reason
}

// TestEveryPrefix: a file that was cut short is refused.
func TestEveryPrefix(t *testing.T) {
	c, p := laterProof(t)
	text := p.Encode()
	for n := range len(text) {
		if refused(t, c, text[:n]) == "" {
			t.Errorf("the first %d of %d bytes go through", n, len(text))
		}
	}
}
