package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeyRoundTrip(t *testing.T) {
	key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	text, err := encodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), keyFile)
	if err := os.WriteFile(path, text, 0o400); err != nil {
		t.Fatal(err)
	}
	again, err := readKey(path)
	if err != nil || !again.Equal(key) {
		t.Errorf("got another key, %v", err)
	}
}

func TestKeyRefusals(t *testing.T) {
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(other)
	if err != nil {
		t.Fatal(err)
	}
	for want, text := range map[string][]byte{
		"not a PEM file":          []byte("secret"),
		"not a PEM file with":     pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}),
		"not PKCS #8":             pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: []byte("secret")}),
		"the key is a *ecdsa.Pri": pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der}),
	} {
		_, err := decodeKey(text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
