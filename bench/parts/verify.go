package parts

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"time"

	"tangled/message"
)

// VerifyResult tells what a signature costs to verify on one core.
type VerifyResult struct {
	Ways  []VerifyWay `json:"ways"`
	Cores int         `json:"cores"` // used
}

// VerifyWay is one way to verify.
type VerifyWay struct {
	Batch int `json:"batch"` // messages at once
	// KnownKeys tells that the issuers are those of earlier messages, whose expanded
	// keys are at hand. Otherwise every key is new.
	KnownKeys  bool    `json:"known_keys"`
	PerMessage float64 `json:"us_per_message"`
	PerSecond  float64 `json:"messages_per_second"`
	Speedup    float64 `json:"speedup"` // over one by one with new keys
}

// verifyMessages is how many messages one run verifies.
const verifyMessages = 1024

// Verify measures messages of 256-byte readings, one by one and in batches, with keys
// that the verifier has seen and with new ones: the median of a few runs on one core.
// The error is ctx's.
func Verify(ctx context.Context) (result VerifyResult, err error) {
	known, err := signedMessages(forgers)
	if err != nil {
		return result, err
	}
	fresh, err := signedMessages(verifyMessages)
	if err != nil {
		return result, err
	}
	for _, knownKeys := range []bool{false, true} {
		for _, size := range []int{1, 64, 256} {
			if err := ctx.Err(); err != nil {
				return result, err
			}
			w := VerifyWay{Batch: size, KnownKeys: knownKeys}
			messages := fresh
			if knownKeys {
				messages = known
			}
			if w.PerMessage, err = verifyTime(messages, size, knownKeys); err != nil {
				return result, err
			}
			w.PerSecond = 1e6 / w.PerMessage
			result.Ways = append(result.Ways, w)
			result.Ways[len(result.Ways)-1].Speedup = result.Ways[0].PerMessage / w.PerMessage
		}
	}
	result.Cores = 1
	return result, nil
}

// signedMessages are really signed, by so many issuers in turn.
func signedMessages(issuers int) ([]*message.Message, error) {
	keys := make([]ed25519.PrivateKey, issuers)
	for i := range keys {
		var seed [ed25519.SeedSize]byte
		binary.BigEndian.PutUint64(seed[:], uint64(i)+1)
		keys[i] = ed25519.NewKeyFromSeed(seed[:])
	}
	f := newForge()
	messages := make([]*message.Message, verifyMessages)
	for i := range messages {
		r, err := f.next()
		if err != nil {
			return nil, err
		}
		m := r.Message
		draft := message.Draft{Network: m.Network, Timestamp: m.Timestamp, Parents: m.Parents, Kind: m.Kind, Payload: m.Payload}
		if messages[i], err = draft.Sign(keys[i%issuers]); err != nil {
			return nil, fmt.Errorf("sign: %w", err)
		}
	}
	return messages, nil
}

// verifyTime is in microseconds a message.
func verifyTime(messages []*message.Message, size int, knownKeys bool) (us float64, err error) {
	var failed error
	us = median(func() float64 {
		v := message.NewVerifier()
		if knownKeys { // twice: a key is kept from its second message on, at the latest
			failed = errors.Join(failed, verifyAll(v, messages, size), verifyAll(v, messages, size))
		}
		runtime.GC() // of the runs before
		began := time.Now()
		failed = errors.Join(failed, verifyAll(v, messages, size))
		return float64(time.Since(began).Microseconds()) / float64(len(messages))
	})
	return us, failed
}

func verifyAll(v *message.Verifier, messages []*message.Message, size int) error {
	for i := 0; i < len(messages); i += size {
		if size == 1 {
			if err := v.Verify(messages[i]); err != nil {
				return err
			}
			continue
		}
		if errs := v.VerifyBatch(messages[i:min(i+size, len(messages))]); errs != nil {
			return errors.Join(errs...)
		}
	}
	return nil
}
