package message_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"testing"

	"tangled/message"
)

// smallOrderPoints are the 14 encodings of the 8 points of small order that
// ZIP-215 takes: 8 canonical ones, then 6 that are not (the sign of x = 0 set,
// or y not below p).
var smallOrderPoints = [...]string{
	"0100000000000000000000000000000000000000000000000000000000000000",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"0000000000000000000000000000000000000000000000000000000000000080",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	"0000000000000000000000000000000000000000000000000000000000000000",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	"0100000000000000000000000000000000000000000000000000000000000080",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
}

func point(t testing.TB, s string) [32]byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 32 {
		t.Fatalf("point %q: %v", s, err)
	}
	return [32]byte(b)
}

// sealed is a message of issuer with the signature (r, s).
func sealed(t testing.TB, issuer, r, s [32]byte) *message.Message {
	t.Helper()
	m, err := testDraft().Seal(issuer, [64]byte(append(r[:], s[:]...)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// zip215 is the construction of the ZIP's test vectors: key and R are any of
// the 14 encodings and s = 0. The cofactored equation [8][s]B = [8]R + [8][k]A
// then is 0 = 0 whatever was signed.
func zip215(t testing.TB) []*message.Message {
	var messages []*message.Message
	for _, a := range smallOrderPoints {
		for _, r := range smallOrderPoints {
			messages = append(messages, sealed(t, point(t, a), point(t, r), [32]byte{}))
		}
	}
	return messages
}

// forged are signatures that no rule takes.
func forged(t testing.TB) map[string]*message.Message {
	t.Helper()
	good := sign(t, testDraft(), 1)
	r, s := [32]byte(good.Signature[:32]), [32]byte(good.Signature[32:])
	identity := point(t, smallOrderPoints[0])
	// y = 2 is on no point of the curve.
	offCurve := [32]byte{2}
	other := testDraft()
	other.Timestamp++
	elsewhere := sign(t, other, 1)
	return map[string]*message.Message{
		"other issuer":        sealed(t, testIssuer(2), r, s),
		"other message":       sealed(t, good.Issuer, [32]byte(elsewhere.Signature[:32]), [32]byte(elsewhere.Signature[32:])),
		"zero signature":      sealed(t, good.Issuer, [32]byte{}, [32]byte{}),
		"R changed":           sealed(t, good.Issuer, flip(r), s),
		"s changed":           sealed(t, good.Issuer, r, flip(s)),
		"s + group order":     sealed(t, good.Issuer, r, addOrder(s)),
		"s = group order":     sealed(t, identity, identity, addOrder([32]byte{})),
		"s = 1, nothing else": sealed(t, identity, identity, [32]byte{1}),
		"issuer off curve":    sealed(t, offCurve, r, s),
		"R off curve":         sealed(t, good.Issuer, offCurve, s),
		"signed without tag":  signedOver(t, func(b []byte) []byte { return b[len("tangled/message"):] }),
		"signed with nonce":   signedOver(t, func(b []byte) []byte { return append(b, make([]byte, 8)...) }),
		"signed as a commit": signedOver(t, func(b []byte) []byte {
			return append([]byte("tangled/commit"), b[len("tangled/message"):]...)
		}),
	}
}

func flip(b [32]byte) [32]byte {
	b[0] ^= 1
	return b
}

// addOrder is s plus the order of the group, 2^252 + 2774...8493: the same
// scalar in an encoding that is not canonical.
func addOrder(s [32]byte) [32]byte {
	order, _ := new(big.Int).SetString("27742317777372353535851937790883648493", 10)
	order.Add(order, new(big.Int).Lsh(big.NewInt(1), 252))
	slices.Reverse(s[:])
	sum := order.Add(order, new(big.Int).SetBytes(s[:])).FillBytes(make([]byte, 32))
	slices.Reverse(sum)
	return [32]byte(sum)
}

// signedOver is a message with a good signature over something else.
func signedOver(t testing.TB, change func(signed []byte) []byte) *message.Message {
	t.Helper()
	d := testDraft()
	signature := ed25519.Sign(testKey(1), change(d.SigningBytes(testIssuer(1))))
	m, err := d.Seal(testIssuer(1), [64]byte(signature))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// signedMessages are n good messages of several issuers.
func signedMessages(t testing.TB, n int) []*message.Message {
	var messages []*message.Message
	for i := range n {
		d := testDraft()
		d.Timestamp += uint64(i)
		messages = append(messages, sign(t, d, byte(i%7)))
	}
	return messages
}

// TestVerifierZIP215: single and batch take all of the ZIP's vectors, which
// is what the cofactored rule is for.
func TestVerifierZIP215(t *testing.T) {
	messages := zip215(t)
	if len(messages) != 196 {
		t.Fatalf("%d vectors", len(messages))
	}
	v := message.NewVerifier()
	for i, m := range messages {
		if err := v.Verify(m); err != nil {
			t.Errorf("single refuses key %s, R %s", smallOrderPoints[i/14], smallOrderPoints[i%14])
		}
	}
	if errs := message.NewVerifier().VerifyBatch(messages); errs != nil {
		t.Errorf("batch refuses: %v", errs)
	}
	for i, m := range messages {
		if errs := v.VerifyBatch([]*message.Message{m, messages[195-i]}); errs != nil {
			t.Errorf("batch of two refuses key %s, R %s", smallOrderPoints[i/14], smallOrderPoints[i%14])
		}
	}
}

// TestVerifierForged: what is bad is bad alone, in a batch, and with the key
// in the cache already.
func TestVerifierForged(t *testing.T) {
	good := signedMessages(t, 3)
	for name, bad := range forged(t) {
		t.Run(name, func(t *testing.T) {
			v := message.NewVerifier()
			for range 2 {
				wantReason(t, v.Verify(bad), message.ReasonSignature)
				errs := v.VerifyBatch([]*message.Message{good[0], bad, good[1], good[2]})
				if len(errs) != 4 {
					t.Fatalf("batch takes it: %v", errs)
				}
				wantReason(t, errs[1], message.ReasonSignature)
				if errs[0] != nil || errs[2] != nil || errs[3] != nil {
					t.Errorf("the batch blames others: %v", errs)
				}
			}
		})
	}
}

// TestVerifyBatchMarksOnlyTheBad: an attacker must not take good messages down
// with a bad one, wherever it stands.
func TestVerifyBatchMarksOnlyTheBad(t *testing.T) {
	v := message.NewVerifier()
	bad := forged(t)["other message"]
	for _, size := range []int{2, 3, 64, 200} {
		for _, at := range [][]int{{0}, {size / 2}, {size - 1}, {0, size - 1}} {
			t.Run(fmt.Sprintf("%v of %d", at, size), func(t *testing.T) {
				messages := signedMessages(t, size)
				if errs := v.VerifyBatch(messages); errs != nil {
					t.Fatalf("good batch: %v", errs)
				}
				for _, i := range at {
					messages[i] = bad
				}
				errs := v.VerifyBatch(messages)
				if len(errs) != size {
					t.Fatalf("%d errors, want %d", len(errs), size)
				}
				for i, err := range errs {
					if slices.Contains(at, i) {
						wantReason(t, err, message.ReasonSignature)
					} else if err != nil {
						t.Errorf("message %d: %v", i, err)
					}
				}
			})
		}
	}
}

func TestVerifyBatchSmall(t *testing.T) {
	v := message.NewVerifier()
	if errs := v.VerifyBatch(nil); errs != nil {
		t.Errorf("empty batch: %v", errs)
	}
	if errs := v.VerifyBatch(signedMessages(t, 1)); errs != nil {
		t.Errorf("batch of one: %v", errs)
	}
	errs := v.VerifyBatch([]*message.Message{forged(t)["s changed"]})
	if len(errs) != 1 {
		t.Fatalf("bad batch of one: %v", errs)
	}
	wantReason(t, errs[0], message.ReasonSignature)
}

// TestVerifierShared uses one Verifier from many goroutines; the race detector
// watches.
func TestVerifierShared(t *testing.T) {
	v := message.NewVerifier()
	messages := signedMessages(t, 16)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if errs := v.VerifyBatch(messages); errs != nil {
				t.Errorf("batch: %v", errs)
			}
			for _, m := range messages {
				if err := v.Verify(m); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// TestSealedElsewhere is a device that signs and leaves the rest to its node.
func TestSealedElsewhere(t *testing.T) {
	d := testDraft()
	signature := ed25519.Sign(testKey(1), d.SigningBytes(testIssuer(1)))
	m, err := d.Seal(testIssuer(1), [64]byte(signature))
	if err != nil {
		t.Fatal(err)
	}
	if err := message.NewVerifier().Verify(m); err != nil {
		t.Error(err)
	}
	if signed := sign(t, testDraft(), 1); !bytes.Equal(m.Bytes(), signed.Bytes()) {
		t.Error("Sign makes another message of it")
	}
}

func BenchmarkVerify(b *testing.B) {
	v := message.NewVerifier()
	messages := signedMessages(b, 64)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := v.Verify(messages[i%len(messages)]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerifyBatch64 is 64 signatures an operation.
func BenchmarkVerifyBatch64(b *testing.B) {
	v := message.NewVerifier()
	messages := signedMessages(b, 64)
	b.ReportAllocs()
	for b.Loop() {
		if errs := v.VerifyBatch(messages); errs != nil {
			b.Fatal(errs)
		}
	}
}
