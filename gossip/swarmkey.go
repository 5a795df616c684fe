package gossip

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
)

// SwarmKey is the network's pre-shared key: who does not hold it cannot finish a
// handshake, and learns nothing from the bytes.
type SwarmKey [32]byte

// A swarm key file is libp2p's:
//
//	/key/swarm/psk/1.0.0/
//	/base16/
//	64 hexadecimal digits
//
// The two other encodings libp2p reads (/bin/ and /base64/) are refused: one
// form is enough, and no tool of ours writes another.
const (
	swarmKeyHeader   = "/key/swarm/psk/1.0.0/"
	swarmKeyEncoding = "/base16/"
	// swarmKeyMaxFile bounds what is read of a file that is something else.
	swarmKeyMaxFile = 256
)

// NewSwarmKey makes a key from the system's randomness.
func NewSwarmKey() SwarmKey {
	var k SwarmKey
	rand.Read(k[:]) // crashes the program rather than fail, see crypto/rand
	return k
}

// Encode is the content of the key's file.
func (k SwarmKey) Encode() []byte {
	return []byte(swarmKeyHeader + "\n" + swarmKeyEncoding + "\n" + hex.EncodeToString(k[:]) + "\n")
}

// String keeps the key out of logs.
func (k SwarmKey) String() string { return "swarm key (secret)" }

// GoString keeps the key out of logs.
func (k SwarmKey) GoString() string { return k.String() }

// WriteFile writes the key to a new file only its owner may read or write. An
// existing file is an error (fs.ErrExist): overwriting the key of a network
// would cut its node off.
func (k SwarmKey) WriteFile(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("create swarm key: %w", err)
	}
	_, err = f.Write(k.Encode())
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		os.Remove(path) // half a key is worse than none
		return fmt.Errorf("write swarm key %s: %w", path, err)
	}
	return nil
}

// ReadSwarmKey reads a key's file. It refuses one that others than its owner may
// read or write, and anything but the form that WriteFile writes, with an
// *InvalidError.
func ReadSwarmKey(path string) (SwarmKey, error) {
	f, err := os.Open(path)
	if err != nil {
		return SwarmKey{}, fmt.Errorf("open swarm key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return SwarmKey{}, fmt.Errorf("stat swarm key: %w", err)
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return SwarmKey{}, invalidf(reasonMode, "swarm key %s has mode %#o and is a secret: chmod 600", path, perm)
	}
	text, err := io.ReadAll(io.LimitReader(f, swarmKeyMaxFile))
	if err != nil {
		return SwarmKey{}, fmt.Errorf("read swarm key: %w", err)
	}
	k, err := parseSwarmKey(string(text))
	if err != nil {
		return SwarmKey{}, fmt.Errorf("swarm key %s: %w", path, err)
	}
	return k, nil
}

func parseSwarmKey(text string) (SwarmKey, error) {
	lines := strings.Split(strings.TrimRight(text, "\r\n"), "\n")
	if len(lines) != 3 {
		return SwarmKey{}, invalidf(reasonFormat, "%d lines, want 3", len(lines))
	}
	for i := range lines {
		lines[i] = strings.TrimSuffix(lines[i], "\r")
	}
	if lines[0] != swarmKeyHeader || lines[1] != swarmKeyEncoding {
		return SwarmKey{}, invalidf(reasonFormat, "does not begin with %s and %s", swarmKeyHeader, swarmKeyEncoding)
	}
	var k SwarmKey
	if len(lines[2]) != hex.EncodedLen(len(k)) {
		return SwarmKey{}, invalidf(reasonFormat, "key of %d digits, want %d", len(lines[2]), hex.EncodedLen(len(k)))
	}
	if _, err := hex.Decode(k[:], []byte(lines[2])); err != nil {
		// The decoder's error would quote a byte of the key.
		return SwarmKey{}, invalidf(reasonFormat, "key is not hexadecimal")
	}
	if k == (SwarmKey{}) {
		return SwarmKey{}, invalidf(reasonEmpty, "key is all zeros")
	}
	return k, nil
}
