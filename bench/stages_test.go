package bench

import (
	"bytes"
	"compress/gzip"
	"context"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// encodeProfile writes stacks as runtime/pprof does: every function in a location of
// its own, but for those joined by " < ", which were inlined into one.
func encodeProfile(stacks []string, cpu time.Duration, label string) []byte {
	strings_ := []string{"", "generator", "yes"}
	var b []byte
	message := func(to []byte, number protowire.Number, inner []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(to, number, protowire.BytesType), inner)
	}
	number := func(to []byte, number protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(to, number, protowire.VarintType), v)
	}
	function, location := uint64(0), uint64(0)
	for _, stack := range stacks {
		var locations []byte
		for _, place := range strings.Split(stack, "\n") {
			location++
			lines := number(nil, 1, location)
			for _, f := range strings.Split(place, " < ") {
				function++
				strings_ = append(strings_, f)
				b = message(b, 5, number(number(nil, 1, function), 2, uint64(len(strings_)-1)))
				lines = message(lines, 4, number(nil, 1, function))
			}
			b = message(b, 4, lines)
			locations = protowire.AppendVarint(locations, location)
		}
		sample := message(nil, 1, locations)
		sample = message(sample, 2, protowire.AppendVarint(protowire.AppendVarint(nil, 1), uint64(cpu)))
		if label != "" {
			sample = message(sample, 3, number(number(nil, 1, 1), 2, 2))
		}
		b = message(b, 2, sample)
	}
	for _, s := range strings_ {
		b = message(b, 6, []byte(s))
	}
	b = number(b, 12, 10_000_000) // the period, which nobody reads
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write(b)
	_ = w.Close()
	return z.Bytes()
}

func TestSamplesGoToTheirStages(t *testing.T) {
	const voi = "github.com/oasisprotocol/curve25519-voi/"
	tests := []struct {
		name, stack, label, want string
	}{
		{"signing", voi + "curve.edwardsMul\n" + voi + "primitives/ed25519.Sign\ntangled/message.(*Draft).Sign\ntangled/node.(*Node).issue", "", "sign"},
		{"signing for a client", voi + "primitives/ed25519.Sign\ntangled/message.(*Draft).Sign\ntangled/bench.(*signDoor).publish", "yes", "generator"},
		{"verifying", voi + "curve.edwardsMulti\ntangled/message.(*batch).allGood\ntangled/message.(*Verifier).VerifyBatch\ntangled/node.(*Node).verifyGroup", "", "verify"},
		{"hashing", "golang.org/x/crypto/blake2b.Sum256\ntangled/message.Decode\ntangled/node.(*Node).admit", "", "message"},
		{"mining", "tangled/pow.search\ntangled/pow.(*Miner).Mine\ntangled/node.(*Node).seal\ntangled/bench.issueDoor.publish", "yes", "pow"},
		{"tips", "runtime.mapaccess1\ntangled/tipselect.(*Selector).Pick\ntangled/node.(*tipPool).pick\ntangled/node.(*Node).Issue", "yes", "tangle"},
		{"attaching", "tangled/tangle.(*Tangle).Attach\ntangled/node.(*loop).attach", "", "tangle"},
		{"committing", "syscall.Syscall\ngithub.com/cockroachdb/pebble/v2.(*DB).Apply\ntangled/storage.(*Store).Commit", "", "storage"},
		{"flushing", "github.com/golang/snappy.Encode\ngithub.com/cockroachdb/pebble/v2.(*DB).flush1", "", "storage"},
		{"gossip", "crypto/internal/chacha20poly1305.seal\ngithub.com/flynn/noise.(*CipherState).Encrypt", "", "gossip"},
		{"anchors", "tangled/ledger.(*Ledger).Apply\ntangled/node.(*finality).apply", "", "consensus"},
		{"inlined", "tangled/merkle.hash < tangled/merkle.Root\ntangled/node.(*finality).fix", "", "consensus"},
		{"broker", "net.(*conn).Read\ngithub.com/mochi-mqtt/server/v2.(*Client).Read", "", "ingest"},
		{"server", "google.golang.org/grpc/internal/transport.(*loopyWriter).run", "", "ingest"},
		{"client", "google.golang.org/grpc/internal/transport.(*loopyWriter).run", "yes", "generator"},
		{"client's reader", "syscall.read\ntangled/bench.readPacket\ntangled/bench.(*mqttDoor).receive", "yes", "generator"},
		{"the loop", "runtime.chanrecv\ntangled/node.(*loop).run", "", "node"},
		{"the door", "runtime.selectgo\ntangled/node.(*Node).send\ntangled/bench.issueDoor.publish", "yes", "node"},
		{"collector", "runtime.scanobject\nruntime.gcDrain\nruntime.gcBgMarkWorker", "", "gc"},
		{"collector called upon", "runtime.gcAssistAlloc\nruntime.mallocgc\ntangled/bench.padding.encode", "yes", "gc"},
		{"scheduler", "runtime.findRunnable\nruntime.schedule\nruntime.mcall", "", "runtime"},
		{"a stranger", "github.com/prometheus/common.f\nmain.main", "", "other"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			samples, err := readProfile(bytes.NewReader(encodeProfile([]string{test.stack}, time.Millisecond, test.label)))
			if err != nil {
				t.Fatal(err)
			}
			if got := byStage(samples); len(got) != 1 || got[test.want] != time.Millisecond {
				t.Errorf("attributed %v, want 1 ms to %s", got, test.want)
			}
		})
	}
}

func TestEveryClaimIsOfAStage(t *testing.T) {
	stages := make(map[string]bool)
	for _, s := range Stages() {
		stages[s] = true
	}
	for _, c := range claims() {
		if !stages[c.stage] {
			t.Errorf("%s belongs to %q, which is no stage", c.prefix, c.stage)
		}
	}
}

func TestRecordSeesThisProcess(t *testing.T) {
	var whole bytes.Buffer
	stop, err := record(&whole)
	if err != nil {
		t.Fatal(err)
	}
	pprof.Do(t.Context(), labels(), func(context.Context) { spin(cpuTime() + 300*time.Millisecond) })
	samples, err := stop()
	if err != nil {
		t.Fatal(err)
	}
	if got := byStage(samples)[generatorStage]; got < 100*time.Millisecond {
		t.Errorf("%v of 300 ms are the generator's", got)
	}
	again, err := readProfile(&whole)
	if err != nil {
		t.Fatal(err)
	}
	if len(again) != len(samples) {
		t.Errorf("the whole profile has %d samples, want all %d", len(again), len(samples))
	}
}

// spin uses CPU time until the process has used so much.
func spin(until time.Duration) {
	for n := 0; cpuTime() < until; n++ {
		_ = strings.Repeat("x", n%1000)
	}
}

func TestReadProfileRefusesDamage(t *testing.T) {
	whole := encodeProfile([]string{"a\nb"}, time.Second, "yes")
	tests := map[string][]byte{
		"not gzip":  []byte("hello"),
		"truncated": whole[:len(whole)-9],
		"rubbish":   gzipped([]byte{0xff, 0xff, 0xff}),
		"no value":  gzipped([]byte{0x12, 0x00}), // an empty sample
		"no string": gzipped(protowire.AppendBytes([]byte{0x12}, append([]byte{0x12, 2, 1, 1}, 0x1a, 2, 0x08, 9))),
	}
	for name, b := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := readProfile(bytes.NewReader(b)); err == nil {
				t.Error("took it")
			}
		})
	}
}

func gzipped(b []byte) []byte {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write(b)
	_ = w.Close()
	return z.Bytes()
}

func FuzzReadProfile(f *testing.F) {
	z, err := gzip.NewReader(bytes.NewReader(encodeProfile([]string{"a\nb < c", "d"}, time.Second, "yes")))
	if err != nil {
		f.Fatal(err)
	}
	var plain bytes.Buffer
	if _, err := plain.ReadFrom(z); err != nil {
		f.Fatal(err)
	}
	f.Add(plain.Bytes())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		samples, err := readProfile(bytes.NewReader(gzipped(b)))
		if err != nil {
			return
		}
		total, divided := time.Duration(0), time.Duration(0)
		for _, s := range samples {
			total += s.cpu
		}
		for _, d := range byStage(samples) {
			divided += d
		}
		if total != divided {
			t.Errorf("divided %v of %v", divided, total)
		}
	})
}
