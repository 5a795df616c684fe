package ledger

import "fmt"

// Outcome tells what became of an included message. Its number is part of what
// nodes commit to.
type Outcome uint8

// The outcomes. The package comment has their rules.
const (
	Included     Outcome = 1 // data or a witness: nothing to apply
	Applied      Outcome = 2
	Expired      Outcome = 3
	Duplicate    Outcome = 4
	DoubleSpend  Outcome = 5
	NonceTooFar  Outcome = 6
	Insufficient Outcome = 7
)

// String is the outcome in words.
func (o Outcome) String() string {
	switch o {
	case Included:
		return "included"
	case Applied:
		return "applied"
	case Expired:
		return "expired"
	case Duplicate:
		return "duplicate"
	case DoubleSpend:
		return "double spend"
	case NonceTooFar:
		return "nonce too far"
	case Insufficient:
		return "insufficient"
	}
	return fmt.Sprintf("outcome(%d)", uint8(o))
}
