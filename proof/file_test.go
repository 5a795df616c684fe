package proof_test

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tangled/message"
	"tangled/proof"
)

// laterProof has every part a proof can have.
func laterProof(t testing.TB) (*chain, *proof.Proof) {
	t.Helper()
	c := newChain(t, equal(4)...)
	for _, count := range []int{1, 5, 1, 1} {
		c.grow(count, nil)
	}
	return c, c.prove(2, 1, 4, 0, 1, 2, 3)
}

func TestEncodeDecode(t *testing.T) {
	c, later := laterProof(t)
	fork := c.prove(2, 1, 2, 0, 1, 2)
	fork.Finality.Commitment.State[0] ^= 1
	for name, p := range map[string]*proof.Proof{
		"later":         later,
		"direct":        c.prove(2, 4, 2, 0, 1, 2),
		"no path":       c.prove(1, 0, 1, 0, 1, 2),
		"no signatures": c.prove(2, 0, 2),
		"fork":          fork, // another commitment of the same index
		"nothing":       {Message: []byte{}},
	} {
		t.Run(name, func(t *testing.T) {
			b := p.Encode()
			decoded, err := proof.Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Path) == 0 {
				p.Path = nil
			}
			if !reflect.DeepEqual(decoded, p) {
				t.Errorf("decoded %+v\n   want %+v", decoded, p)
			}
			if again := decoded.Encode(); !bytes.Equal(again, b) {
				t.Errorf("encoded again %s\nwant %s", again, b)
			}
		})
	}
}

// TestLargestProof: the bound on a file leaves room for every proof.
func TestLargestProof(t *testing.T) {
	_, p := laterProof(t)
	p.Message = make([]byte, message.MaxSize)
	p.Index = 1<<64 - 1
	p.Outcome = 255
	p.Path = make([][32]byte, 64)
	p.TreePath = p.Path
	p.Finality.Signatures = make([]proof.Signature, message.MaxSeats)
	for i := range p.Finality.Signatures {
		p.Finality.Signatures[i].Seat = 200
	}
	b := p.Encode()
	if _, err := proof.Decode(b); err != nil {
		t.Errorf("%d bytes: %v", len(b), err)
	}
	if len(b) > proof.MaxFileSize*3/4 {
		t.Errorf("%d bytes leave little room below %d", len(b), proof.MaxFileSize)
	}
}

// TestDecodeRefuses: one form only, and the rest is damage.
func TestDecodeRefuses(t *testing.T) {
	_, p := laterProof(t)
	text := string(p.Encode())
	direct := *p
	direct.Finality.Commitment, direct.TreePath = p.Commitment, nil
	commitment := strings.Split(string(direct.Encode()), `"commitment": `)[1]
	commitment = commitment[:strings.IndexByte(commitment, ',')]

	for _, test := range []struct {
		name     string
		old, new string
	}{
		{"nothing", text, ""},
		{"no JSON", text, "a proof"},
		{"null", text, "null\n"},
		{"a list", text, "[]\n"},
		{"an empty object", text, "{}\n"},
		{"two proofs", text, text + text},
		{"another version", `"version": 1`, `"version": 2`},
		{"no version", "  \"version\": 1,\n", ""},
		{"an unknown field", `"outcome": 2`, "\"note\": 2,\n  \"outcome\": 2"},
		{"an unknown field in later", "\"later\": {\n", "\"later\": {\n    \"note\": 1,\n"},
		{"an unknown field in a signature", `"seat": 1,`, "\"seat\": 1,\n      \"note\": 1,"},
		{"a field twice", `"outcome": 2,`, "\"outcome\": 2,\n  \"outcome\": 2,"},
		{"a field twice, first wrong", `"outcome": 2,`, "\"outcome\": 3,\n  \"outcome\": 2,"},
		{"a field in another case", `"outcome"`, `"Outcome"`},
		{"fields in another order", "  \"outcome\": 2,\n  \"index\": 1,\n", "  \"index\": 1,\n  \"outcome\": 2,\n"},
		{"a number as text", `"outcome": 2`, `"outcome": "2"`},
		{"a number in another form", `"outcome": 2`, `"outcome": 2.0`},
		{"a number with an exponent", `"index": 1`, `"index": 1e0`},
		{"a negative number", `"index": 1`, `"index": -1`},
		{"an outcome beyond a byte", `"outcome": 2`, `"outcome": 258`},
		{"an index beyond 64 bits", `"index": 1`, `"index": 18446744073709551617`},
		{"a seat beyond a byte", `"seat": 1`, `"seat": 257`},
		{"capital digits", text, strings.ToUpper(text)},
		{"an escape", `"message": "0`, `"message": "\u0030`},
		{"half a byte missing", `"message": "0`, `"message": "`},
		{"a byte that is no digit", `"message": "01`, `"message": "0x`},
		{"a short step", "\"path\": [\n    \"", "\"path\": [\n    \"\",\n    \""},
		{"a long step", "\"path\": [\n    \"", "\"path\": [\n    \"00"},
		{"a long commitment", `"commitment": "`, `"commitment": "00`},
		{"a long signature", `"signature": "`, `"signature": "00`},
		{"no path", "\"path\": [\n", "\"route\": [\n"},
		{"later is the same commitment", text, laterIsSame(text, commitment)},
		{"later is null", text, strings.Replace(string(direct.Encode()), `  "signatures"`, "  \"later\": null,\n  \"signatures\"", 1)},
		{"no newline at the end", "]\n}\n", "]\n}"},
		{"two newlines at the end", "]\n}\n", "]\n}\n\n"},
		{"a byte at the end", "]\n}\n", "]\n}\nx"},
		{"a NUL at the end", "]\n}\n", "]\n}\n\x00"},
		{"a byte order mark", "{\n  \"version\"", "\ufeff{\n  \"version\""},
		{"CRLF", "\n", "\r\n"},
		{"tabs", "  \"outcome\"", "\t\"outcome\""},
		{"a space before a colon", `"outcome":`, `"outcome" :`},
		{"too large", "]\n}\n", "]\n}\n" + strings.Repeat("\n", proof.MaxFileSize)},
	} {
		t.Run(test.name, func(t *testing.T) {
			damaged := strings.Replace(text, test.old, test.new, 1)
			if damaged == text {
				t.Fatal("nothing was replaced")
			}
			_, err := proof.Decode([]byte(damaged))
			wantReason(t, err, proof.ReasonEncoding)
		})
	}
}

// laterIsSame has in "later" the very commitment before it.
func laterIsSame(text, commitment string) string {
	before, after, _ := strings.Cut(text, `"later"`)
	at := strings.Index(after, `"commitment": `) + len(`"commitment": `)
	end := at + strings.IndexByte(after[at:], '\n')
	return before + `"later"` + after[:at] + commitment + after[end:]
}

// TestDecodeSize: the bound itself is allowed, and what is refused is the size,
// before anything is read.
func TestDecodeSize(t *testing.T) {
	for size, want := range map[int]string{
		proof.MaxFileSize:     "unexpected end",
		proof.MaxFileSize + 1: "at most",
	} {
		_, err := proof.Decode(bytes.Repeat([]byte{' '}, size))
		wantReason(t, err, proof.ReasonEncoding)
		if err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%d bytes: %v, want %q", size, err, want)
		}
	}
}

// TestDecodeVersion: a file of a later version is refused as such, not as damage.
func TestDecodeVersion(t *testing.T) {
	_, err := proof.Decode([]byte("{\"version\": 2}\n"))
	wantReason(t, err, proof.ReasonEncoding)
	if err != nil && !strings.Contains(err.Error(), "version 2, want 1") {
		t.Error(err)
	}
}

// TestEncodeDropsNothing: each part of a proof is in its file.
func TestEncodeDropsNothing(t *testing.T) {
	for name, change := range map[string]func(*proof.Proof){
		"message":           func(p *proof.Proof) { p.Message[0] ^= 1 },
		"outcome":           func(p *proof.Proof) { p.Outcome ^= 1 },
		"index":             func(p *proof.Proof) { p.Index ^= 1 },
		"path":              func(p *proof.Proof) { p.Path[0][0] ^= 1 },
		"path's length":     func(p *proof.Proof) { p.Path = p.Path[1:] },
		"commitment":        func(p *proof.Proof) { p.Commitment.Time ^= 1 },
		"tree path":         func(p *proof.Proof) { p.TreePath[0][0] ^= 1 },
		"later commitment":  func(p *proof.Proof) { p.Finality.Commitment.Time ^= 1 },
		"seat":              func(p *proof.Proof) { p.Finality.Signatures[0].Seat ^= 1 },
		"signature":         func(p *proof.Proof) { p.Finality.Signatures[0].Signature[63] ^= 1 },
		"signatures' order": func(p *proof.Proof) { slices.Reverse(p.Finality.Signatures) },
	} {
		t.Run(name, func(t *testing.T) {
			_, p := laterProof(t)
			before := p.Encode()
			change(p)
			if bytes.Equal(p.Encode(), before) {
				t.Error("the file is the same")
			}
		})
	}
}

// FuzzDecode: whatever is taken is what Encode writes, and judging it ends.
func FuzzDecode(f *testing.F) {
	c, later := laterProof(f)
	f.Add(later.Encode())
	f.Add(c.prove(2, 4, 2, 0, 1, 2).Encode())
	f.Add(c.prove(1, 0, 1).Encode())
	f.Add((&proof.Proof{}).Encode())
	f.Add([]byte("{\"version\":1}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := proof.Decode(b)
		if err != nil {
			return
		}
		again := p.Encode()
		if !bytes.Equal(again, b) {
			t.Fatalf("decoded %q, encoded %q", b, again)
		}
		if same, err := proof.Decode(again); err != nil || !reflect.DeepEqual(same, p) {
			t.Fatalf("decoded again %+v, %v, want %+v", same, err, p)
		}
		if s, err := p.Verify(c.genesis); err == nil && s.Weight*3 <= s.Total*2 {
			t.Errorf("verified with weight %d of %d", s.Weight, s.Total)
		}
	})
}

// FuzzDecodeCommitment: any 268 bytes are a commitment with one encoding.
func FuzzDecodeCommitment(f *testing.F) {
	every := everyField()
	f.Add(every.Encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := proof.DecodeCommitment(b)
		if (err == nil) != (len(b) == proof.CommitmentSize) {
			t.Fatalf("%d bytes: %v", len(b), err)
		}
		if err == nil && !bytes.Equal(c.Encode(), b) {
			t.Errorf("decoded %x, encoded %x", b, c.Encode())
		}
	})
}
