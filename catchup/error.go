package catchup

import (
	"errors"
	"fmt"
)

// ErrNotHere tells that a peer has not got what was asked for. The functions of
// a Source return it for what this node has not got.
var ErrNotHere = errors.New("catchup: not here")

// errNotYet tells that nothing from an anchor on is signed yet.
var errNotYet = errors.New("catchup: not yet")

// Reason says in one word what a peer got wrong. It may label a counter: the set
// is small and fixed.
type Reason string

// What a peer can get wrong.
const (
	ReasonRequest    Reason = "request"    // asks for what cannot be
	ReasonEncoding   Reason = "encoding"   // not in the one form there is
	ReasonStatus     Reason = "status"     // a status that does not exist or does not belong here
	ReasonChain      Reason = "chain"      // the commitments are not those that come next
	ReasonList       Reason = "list"       // what an anchor includes is not what its commitment says
	ReasonSignatures Reason = "signatures" // no quorum signed
	ReasonEnd        Reason = "end"        // a run that no signed anchor ends, or that ends elsewhere
	ReasonMessage    Reason = "message"    // a body that is not the one its list names
	ReasonSnapshot   Reason = "snapshot"   // a file of another size, or a part of another length
)

// InvalidError is what a peer got wrong.
type InvalidError struct {
	Reason Reason
	Err    error
}

func (e *InvalidError) Error() string { return "invalid catch-up: " + e.Err.Error() }

// Unwrap gives the detail.
func (e *InvalidError) Unwrap() error { return e.Err }

func invalidf(reason Reason, format string, args ...any) *InvalidError {
	return &InvalidError{Reason: reason, Err: fmt.Errorf(format, args...)}
}
