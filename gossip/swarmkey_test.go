package gossip

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/pnet"
)

func TestSwarmKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "swarm.key")
	key := NewSwarmKey()
	if key == NewSwarmKey() {
		t.Fatal("two keys are one")
	}
	if err := key.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %#o, want 0600", info.Mode().Perm())
	}
	got, err := ReadSwarmKey(path)
	if err != nil || got != key {
		t.Errorf("read %v", err)
	}
	// libp2p's own reader agrees on the format.
	psk, err := pnet.DecodeV1PSK(bytes.NewReader(key.Encode()))
	if err != nil || !bytes.Equal(psk, key[:]) {
		t.Errorf("libp2p reads another key, %v", err)
	}
	if err := NewSwarmKey().WriteFile(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("overwriting: %v, want fs.ErrExist", err)
	}
	if s := fmt.Sprintf("%v %+v %#v %s %x", key, key, key, key, key); strings.Contains(s, fmt.Sprintf("%x", key[:4])) {
		t.Error("the key shows in logs")
	}
}

func TestSwarmKeyRefuses(t *testing.T) {
	good := string(SwarmKey{1}.Encode())
	for name, tc := range map[string]struct {
		text   string
		mode   os.FileMode
		reason string
	}{
		"group may read":   {good, 0o640, reasonMode},
		"others may read":  {good, 0o604, reasonMode},
		"others may write": {good, 0o602, reasonMode},
		"empty":            {"", 0o600, reasonFormat},
		"header":           {strings.Replace(good, "1.0.0", "2.0.0", 1), 0o600, reasonFormat},
		"encoding":         {strings.Replace(good, "base16", "base64", 1), 0o600, reasonFormat},
		"short":            {good[:len(good)-3], 0o600, reasonFormat},
		"long":             {strings.TrimSpace(good) + "00\n", 0o600, reasonFormat},
		"no hex":           {strings.Replace(good, "01", "zz", 1), 0o600, reasonFormat},
		"more lines":       {good + "x\n", 0o600, reasonFormat},
		"huge":             {strings.Repeat("x\n", 1<<16), 0o400, reasonFormat},
		"zeros":            {string(SwarmKey{}.Encode()), 0o600, reasonEmpty},
	} {
		path := filepath.Join(t.TempDir(), "swarm.key")
		if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, tc.mode); err != nil {
			t.Fatal(err)
		}
		_, err := ReadSwarmKey(path)
		var invalid *InvalidError
		if !errors.As(err, &invalid) || invalid.Reason != tc.reason {
			t.Errorf("%s: %v, want reason %q", name, err, tc.reason)
		}
	}
	if _, err := ReadSwarmKey(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v, want fs.ErrNotExist", err)
	}
}
