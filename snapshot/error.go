package snapshot

import "fmt"

// Reason says in one word what is wrong with a snapshot. It may label a counter:
// the set is small and fixed.
type Reason string

// What can be wrong with a snapshot.
const (
	ReasonEncoding Reason = "encoding" // not in the one form there is, or cut short
	ReasonVersion  Reason = "version"  // of a format that this program does not know
	ReasonChecksum Reason = "checksum" // a byte changed on its way
	ReasonGenesis  Reason = "genesis"  // of another network, committee or parameters
	ReasonChain    Reason = "chain"    // the commitments do not follow one another
	ReasonRange    Reason = "range"    // anchors are left out at the front, or too many
	ReasonList     Reason = "list"     // not what the anchor included
	ReasonState    Reason = "state"    // not the accounts and transfers of the anchor
	ReasonFinality Reason = "finality" // neither signed by a quorum nor trusted
	ReasonWitness  Reason = "witness"  // not the witness that is the anchor
)

// InvalidError tells that a file is no snapshot of this network, whoever looks
// at it.
type InvalidError struct {
	Reason Reason
	Err    error
}

func (e *InvalidError) Error() string { return "invalid snapshot: " + e.Err.Error() }

// Unwrap gives the detail.
func (e *InvalidError) Unwrap() error { return e.Err }

func invalidf(reason Reason, format string, args ...any) *InvalidError {
	return &InvalidError{Reason: reason, Err: fmt.Errorf(format, args...)}
}
