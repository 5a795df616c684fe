package proof_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"tangled/proof"
)

// TestGolden makes the proofs of testdata/golden.txt again and compares, and
// verifies what is written there. A difference means that proofs handed out
// before are worth nothing now: the file is for ever.
func TestGolden(t *testing.T) {
	datadriven.RunTest(t, "testdata/golden.txt", func(t *testing.T, td *datadriven.TestData) string {
		if td.Cmd != "prove" {
			td.Fatalf(t, "unknown command %q", td.Cmd)
		}
		c := newChain(t, equal(goldenArgs(t, td, "seats")[0])...)
		for _, count := range goldenArgs(t, td, "anchors") {
			c.grow(count, nil)
		}
		message := goldenArgs(t, td, "message") // anchor, place
		signed := goldenArgs(t, td, "signed")[0]
		made := c.prove(message[0], message[1], signed, goldenArgs(t, td, "by")...).Encode()

		text := td.Expected
		if td.Rewrite {
			text = string(made)
		}
		p, err := proof.Decode([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Verify(c.genesis); err != nil {
			t.Fatal(err)
		}
		return string(made)
	})
}

// goldenArgs are the numbers of an argument: name=1 or name=(1,2).
func goldenArgs(t *testing.T, td *datadriven.TestData, name string) []int {
	t.Helper()
	for _, arg := range td.CmdArgs {
		if arg.Key != name {
			continue
		}
		numbers := make([]int, len(arg.Vals))
		for i, value := range arg.Vals {
			if _, err := fmt.Sscan(strings.TrimSpace(value), &numbers[i]); err != nil {
				td.Fatalf(t, "%s: %v", name, err)
			}
		}
		return numbers
	}
	td.Fatalf(t, "no %s", name)
	return nil
}
