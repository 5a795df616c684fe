package snapshot_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestGolden pins the digest of a small network's snapshot: every node has to get
// the same one for ever. A difference means another format version.
func TestGolden(t *testing.T) {
	datadriven.RunTest(t, "testdata/golden.txt", func(t *testing.T, td *datadriven.TestData) string {
		if td.Cmd != "digest" {
			td.Fatalf(t, "unknown command %q", td.Cmd)
		}
		var counts []int
		for field := range strings.FieldsSeq(td.Input) {
			var count int
			if _, err := fmt.Sscan(field, &count); err != nil {
				td.Fatalf(t, "%v", err)
			}
			counts = append(counts, count)
		}
		_, info := newNetwork(t, counts...).write()
		return fmt.Sprintf("anchors %d..%d, %d bytes\n%x\n", info.First, info.Index, info.Body, info.Digest)
	})
}

// TestGoldenFile reads a file as it was written once, compressor and all.
func TestGoldenFile(t *testing.T) {
	n := city(t)
	file, err := os.ReadFile("testdata/city.tsnap")
	if err != nil {
		t.Fatal(err)
	}
	info, err := n.read(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, want := n.write(); info.Digest != want.Digest {
		t.Errorf("digest %x, want %x", info.Digest, want.Digest)
	}
	body, _ := unpack(file)
	if !bytes.Equal(body, n.parts().body()) {
		t.Error("another body")
	}
}
