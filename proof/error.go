package proof

import "fmt"

// Reason says in one word what is wrong with a proof. It may label a counter:
// the set is small and fixed.
type Reason string

// What can be wrong with a proof.
const (
	ReasonEncoding   Reason = "encoding"   // not in the one form there is
	ReasonMessage    Reason = "message"    // not a message, or not signed by its issuer
	ReasonNetwork    Reason = "network"    // of another network than the genesis
	ReasonEpoch      Reason = "epoch"      // of a committee after the genesis's
	ReasonIndex      Reason = "index"      // a commitment in the genesis's place
	ReasonCommittee  Reason = "committee"  // made under another committee
	ReasonParameters Reason = "parameters" // made under other parameters
	ReasonInclusion  Reason = "inclusion"  // the message is not in S_j with this outcome at this place
	ReasonTree       Reason = "tree"       // C_j is not among the commitments before C_k
	ReasonSeat       Reason = "seat"       // unknown, repeated or out of order
	ReasonSignature  Reason = "signature"  // not that of the seat over C_k
	ReasonQuorum     Reason = "quorum"     // the seats have two thirds of the weight or less
)

// InvalidError tells that a proof proves nothing, whoever looks at it.
type InvalidError struct {
	Reason Reason
	Err    error
}

func (e *InvalidError) Error() string { return "invalid proof: " + e.Err.Error() }

// Unwrap gives the detail.
func (e *InvalidError) Unwrap() error { return e.Err }

func invalidf(reason Reason, format string, args ...any) *InvalidError {
	return &InvalidError{Reason: reason, Err: fmt.Errorf(format, args...)}
}
