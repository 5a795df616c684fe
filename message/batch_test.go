package message_test

import (
	"bytes"
	"crypto/sha512"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"

	"tangled/message"
)

// libraryTakes is the judgement of an implementation that is not this
// package's.
func libraryTakes(m *message.Message) bool {
	options := &voi.Options{Verify: voi.VerifyOptionsZIP_215}
	return voi.VerifyWithOptions(m.Issuer[:], m.SigningBytes(m.Issuer), m.Signature[:], options)
}

// addScalar is s plus n modulo the group's order.
func addScalar(t testing.TB, s [32]byte, n int64) [32]byte {
	t.Helper()
	one := addOrder([32]byte{})
	slices.Reverse(one[:])
	order := new(big.Int).SetBytes(one[:])
	slices.Reverse(s[:])
	sum := new(big.Int).Add(new(big.Int).SetBytes(s[:]), big.NewInt(n))
	sum.Mod(sum, order).FillBytes(s[:])
	slices.Reverse(s[:])
	return s
}

// shifted is m with n added to the s of its signature.
func shifted(t testing.TB, m *message.Message, n int64) *message.Message {
	t.Helper()
	s := addScalar(t, [32]byte(m.Signature[32:]), n)
	changed, err := m.Seal(m.Issuer, [64]byte(append(slices.Clone(m.Signature[:32]), s[:]...)))
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// mixedOrder are good signatures whose key and R each have a part of small
// order: the cofactored equation takes them, the other does not.
func mixedOrder(t testing.TB) []*message.Message {
	t.Helper()
	var messages []*message.Message
	for i := range 8 {
		a, r := scalar.NewFromUint64(uint64(1000+i)), scalar.NewFromUint64(uint64(2000+i))
		key := mixedPoint(t, a, smallOrderPoints[i])
		commitment := mixedPoint(t, r, smallOrderPoints[7-i])
		d := testDraft()
		h := sha512.New()
		h.Write(commitment[:])
		h.Write(key[:])
		h.Write(d.SigningBytes(key))
		k, err := scalar.NewFromBytesModOrderWide(h.Sum(nil))
		if err != nil {
			t.Fatal(err)
		}
		var s [32]byte
		if err := r.Add(r, k.Mul(k, a)).ToBytes(s[:]); err != nil {
			t.Fatal(err)
		}
		messages = append(messages, sealed(t, key, commitment, s))
	}
	return messages
}

// mixedPoint is the encoding of [n]B plus a point of small order.
func mixedPoint(t testing.TB, n *scalar.Scalar, small string) [32]byte {
	t.Helper()
	compressed := curve.CompressedEdwardsY(point(t, small))
	var p, q curve.EdwardsPoint
	if _, err := q.SetCompressedY(&compressed); err != nil {
		t.Fatal(err)
	}
	p.MulBasepoint(curve.ED25519_BASEPOINT_TABLE, n)
	compressed.SetEdwardsPoint(p.Add(&p, &q))
	return compressed
}

// TestVerifierMixedOrder: parts of small order change nothing, alone or
// together.
func TestVerifierMixedOrder(t *testing.T) {
	messages := mixedOrder(t)
	v := message.NewVerifier()
	for i, m := range messages {
		if !libraryTakes(m) {
			t.Fatalf("signature %d: the library refuses it", i)
		}
		if err := v.Verify(m); err != nil {
			t.Errorf("signature %d: single refuses it", i)
		}
	}
	if good, _ := v.AllGood(messages); !good {
		t.Error("together they are refused")
	}
}

// TestBatchTakesZIP215 looks at the one equation itself: where it refuses what
// is good alone, the answer is still right, but an attacker makes every
// signature cost what it costs alone.
func TestBatchTakesZIP215(t *testing.T) {
	v := message.NewVerifier()
	if good, _ := v.AllGood(zip215(t)); !good {
		t.Error("all vectors together are refused")
	}
	if good, _ := v.AllGood(append(zip215(t)[:60], signedMessages(t, 4)...)); !good {
		t.Error("some vectors beside ordinary messages are refused")
	}
}

// TestBatchCancelling has pairs of bad signatures whose errors add up to
// nothing: they pass where a weight is missing or can be foreseen.
func TestBatchCancelling(t *testing.T) {
	v := message.NewVerifier()
	messages := signedMessages(t, 8) // the first and the last are of one issuer
	for _, other := range []int{3, 7} {
		t.Run(fmt.Sprintf("same issuer %v", messages[0].Issuer == messages[other].Issuer), func(t *testing.T) {
			forged := slices.Clone(messages)
			forged[0], forged[other] = shifted(t, messages[0], 1), shifted(t, messages[other], -1)
			if good, _ := v.AllGood(forged); good {
				t.Error("the one equation holds")
			}
			for i, err := range v.VerifyBatch(forged) {
				if i == 0 || i == other {
					wantReason(t, err, message.ReasonSignature)
				} else if err != nil {
					t.Errorf("message %d: %v", i, err)
				}
			}
		})
	}
}

// TestBatchWeights: a weight is drawn for each signature of each batch.
func TestBatchWeights(t *testing.T) {
	v := message.NewVerifier()
	messages := signedMessages(t, 16)
	seen := map[string]bool{}
	for range 4 {
		good, weights := v.AllGood(messages)
		if !good {
			t.Fatal("good signatures of several issuers are refused together")
		}
		if len(weights) != 16*16 {
			t.Fatalf("%d bytes of weights for 16 signatures, want 16 each", len(weights))
		}
		for weight := range slices.Chunk(weights, 16) {
			seen[string(weight)] = true
		}
	}
	if len(seen) != 4*16 {
		t.Errorf("%d different weights in 4 batches of 16", len(seen))
	}
}

// TestVerifierReuse judges by one verifier, whose memory is used again, what
// was judged by others: sizes that grow and shrink, the good after the bad and
// the other way round.
func TestVerifierReuse(t *testing.T) {
	good, bad := signedMessages(t, 200), forged(t)
	v := message.NewVerifier()
	for name, m := range bad {
		for _, size := range []int{2, 200, 3, 65} {
			messages := slices.Clone(good[:size])
			messages[size/2] = m
			if errs := v.VerifyBatch(messages); len(errs) != size || errs[size/2] == nil {
				t.Fatalf("%s in a batch of %d is taken", name, size)
			}
			if errs := v.VerifyBatch(good[:size]); errs != nil {
				t.Fatalf("after %s a good batch of %d is refused: %v", name, size, errs)
			}
			if err := v.Verify(m); err == nil {
				t.Fatalf("%s is taken after a good batch", name)
			}
			if err := v.Verify(good[size-1]); err != nil {
				t.Fatalf("after %s alone: %v", name, err)
			}
		}
	}
}

// TestVerifierSharedByBad: goroutines that judge good and bad messages at the
// same time do not get each other's answers.
func TestVerifierSharedByBad(t *testing.T) {
	v := message.NewVerifier()
	good := signedMessages(t, 24)
	bad := make(map[int]*message.Message)
	for i := range 4 {
		bad[i] = shifted(t, good[i*5], 1)
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			messages := slices.Clone(good[:8+4*i])
			for range 8 {
				if errs := v.VerifyBatch(messages); errs != nil {
					t.Errorf("good batch: %v", errs)
				}
				messages[i] = bad[i]
				errs := v.VerifyBatch(messages)
				for j := range messages {
					if errs == nil || (errs[j] != nil) != (j == i) {
						t.Errorf("bad message %d: %v", i, errs)
						break
					}
				}
				messages[i] = good[i]
			}
		})
	}
	wg.Wait()
}

// FuzzVerify holds single, batch and library to one judgement of any key, R and
// s.
func FuzzVerify(f *testing.F) {
	add := func(m *message.Message) { f.Add(append(bytes.Clone(m.Issuer[:]), m.Signature[:]...)) }
	for _, m := range forged(f) {
		add(m)
	}
	for _, m := range slices.Concat(zip215(f)[:20], mixedOrder(f), signedMessages(f, 1)) {
		add(m)
	}
	v := message.NewVerifier()
	good := signedMessages(f, 2)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != 96 {
			return
		}
		m := sealed(t, [32]byte(b), [32]byte(b[32:]), [32]byte(b[64:]))
		want := libraryTakes(m)
		if got := v.Verify(m) == nil; got != want {
			t.Errorf("single says %v, the library %v", got, want)
		}
		if together, _ := v.AllGood([]*message.Message{good[0], m, good[1]}); together != want {
			t.Errorf("together says %v, the library %v", together, want)
		}
		errs := v.VerifyBatch([]*message.Message{good[0], m, good[1]})
		if (errs == nil) != want || errs != nil && (errs[0] != nil || errs[1] == nil || errs[2] != nil) {
			t.Errorf("batch says %v, the library %v", errs, want)
		}
	})
}

// BenchmarkVerifyBatch64Strangers is the worst case: 64 signatures an operation,
// each of another issuer.
func BenchmarkVerifyBatch64Strangers(b *testing.B) {
	v := message.NewVerifier()
	var messages []*message.Message
	for i := range 64 {
		messages = append(messages, sign(b, testDraft(), byte(i)))
	}
	b.ReportAllocs()
	for b.Loop() {
		if errs := v.VerifyBatch(messages); errs != nil {
			b.Fatal(errs)
		}
	}
}

// BenchmarkVerifyBatch256 is 256 signatures an operation, of 7 issuers.
func BenchmarkVerifyBatch256(b *testing.B) {
	v := message.NewVerifier()
	messages := signedMessages(b, 256)
	b.ReportAllocs()
	for b.Loop() {
		if errs := v.VerifyBatch(messages); errs != nil {
			b.Fatal(errs)
		}
	}
}
