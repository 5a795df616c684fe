package proof

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

const (
	fileVersion = 1
	// MaxFileSize is above the size of any proof in bytes: 64 KiB of
	// hexadecimal message, two paths of 64 steps and 31 signatures.
	MaxFileSize = 128 << 10
)

// file is a proof as JSON: the package comment shows it.
type file struct {
	Version    int             `json:"version"`
	Message    string          `json:"message"`
	Outcome    uint8           `json:"outcome"`
	Index      uint64          `json:"index"`
	Path       []string        `json:"path"`
	Commitment string          `json:"commitment"`
	Later      *laterFile      `json:"later,omitempty"`
	Signatures []signatureFile `json:"signatures"`
}

type laterFile struct {
	Path       []string `json:"path"`
	Commitment string   `json:"commitment"`
}

type signatureFile struct {
	Seat      uint8  `json:"seat"`
	Signature string `json:"signature"`
}

// Encode is the file of p. TreePath is no part of it where the signatures are on
// p.Commitment.
func (p *Proof) Encode() []byte {
	f := file{
		Version:    fileVersion,
		Message:    hex.EncodeToString(p.Message),
		Outcome:    p.Outcome,
		Index:      p.Index,
		Path:       formatPath(p.Path),
		Commitment: hex.EncodeToString(p.Commitment.Encode()),
		Signatures: make([]signatureFile, len(p.Finality.Signatures)),
	}
	if p.Finality.Commitment != p.Commitment {
		f.Later = &laterFile{formatPath(p.TreePath), hex.EncodeToString(p.Finality.Commitment.Encode())}
	}
	for i, s := range p.Finality.Signatures {
		f.Signatures[i] = signatureFile{s.Seat, hex.EncodeToString(s.Signature[:])}
	}
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		panic("proof: " + err.Error()) // strings and numbers
	}
	return append(b, '\n')
}

// Decode reads what Encode wrote and nothing else: whatever was read is written
// again and compared, and so an unknown or repeated field, a different order or
// case, a space too many or a byte at the end is refused. It tells nothing about
// the truth of the proof: see Verify. The error is an *InvalidError.
func Decode(b []byte) (*Proof, error) {
	if len(b) > MaxFileSize {
		return nil, invalidf(ReasonEncoding, "%d bytes, at most %d", len(b), MaxFileSize)
	}
	var f file
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, &InvalidError{ReasonEncoding, err}
	}
	if f.Version != fileVersion {
		return nil, invalidf(ReasonEncoding, "version %d, want %d", f.Version, fileVersion)
	}
	p, err := f.proof()
	if err != nil {
		return nil, &InvalidError{ReasonEncoding, err}
	}
	if again := p.Encode(); !bytes.Equal(again, b) {
		return nil, invalidf(ReasonEncoding, "not in canonical form from byte %d on", firstDifference(again, b))
	}
	return p, nil
}

func (f *file) proof() (*Proof, error) {
	p := &Proof{Outcome: f.Outcome, Index: f.Index}
	var err error
	if p.Message, err = hex.DecodeString(f.Message); err != nil {
		return nil, fmt.Errorf("message: %w", err)
	}
	if p.Path, err = parsePath(f.Path); err != nil {
		return nil, err
	}
	if p.Commitment, err = parseCommitment(f.Commitment); err != nil {
		return nil, err
	}
	p.Finality.Commitment = p.Commitment
	if f.Later != nil {
		if p.TreePath, err = parsePath(f.Later.Path); err != nil {
			return nil, fmt.Errorf("later: %w", err)
		}
		if p.Finality.Commitment, err = parseCommitment(f.Later.Commitment); err != nil {
			return nil, fmt.Errorf("later: %w", err)
		}
	}
	for i, s := range f.Signatures {
		signature := Signature{Seat: s.Seat}
		if err := parseExactly(signature.Signature[:], s.Signature); err != nil {
			return nil, fmt.Errorf("signature %d: %w", i, err)
		}
		p.Finality.Signatures = append(p.Finality.Signatures, signature)
	}
	return p, nil
}

func formatPath(path [][32]byte) []string {
	out := make([]string, len(path)) // an empty path is a list too
	for i, hash := range path {
		out[i] = hex.EncodeToString(hash[:])
	}
	return out
}

func parsePath(steps []string) ([][32]byte, error) {
	if len(steps) == 0 {
		return nil, nil
	}
	path := make([][32]byte, len(steps))
	for i, step := range steps {
		if err := parseExactly(path[i][:], step); err != nil {
			return nil, fmt.Errorf("step %d of a path: %w", i, err)
		}
	}
	return path, nil
}

func parseCommitment(s string) (Commitment, error) {
	var b [CommitmentSize]byte
	if err := parseExactly(b[:], s); err != nil {
		return Commitment{}, fmt.Errorf("commitment: %w", err)
	}
	return DecodeCommitment(b[:])
}

// parseExactly reads as many bytes as dst has, in hexadecimal.
func parseExactly(dst []byte, s string) error {
	if len(s) != hex.EncodedLen(len(dst)) {
		return fmt.Errorf("%d hexadecimal digits, want %d", len(s), hex.EncodedLen(len(dst)))
	}
	_, err := hex.Decode(dst, []byte(s))
	return err
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}
