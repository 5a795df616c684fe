package proof

import "tangled/genesis"

// Finality is a commitment with signatures of a quorum: the portable proof that
// C_k is final, and with it every C_j before it.
type Finality struct {
	Commitment Commitment  // the preimage of C_k
	Signatures []Signature // ascending by seat, each seat once
}

// Verify tells whether f makes its commitment final in the network of g, which
// must be valid: known seats, ascending, each with a good signature, together
// more than two thirds of the weight. One bad signature spoils all, so that no
// byte of a proof is free. The error is an *InvalidError.
func (f *Finality) Verify(g *genesis.Genesis) error {
	if err := f.Commitment.check(g); err != nil {
		return err
	}
	for i := range f.Signatures {
		if err := ascending(f.Signatures[:i], f.Signatures[i].Seat); err != nil {
			return err
		}
		if err := f.Signatures[i].Verify(&f.Commitment, g); err != nil {
			return err
		}
	}
	if weight, total := f.weight(g), totalWeight(g); 3*weight <= 2*total {
		return invalidf(ReasonQuorum, "signatures of weight %d of %d, want more than two thirds", weight, total)
	}
	return nil
}

// weight is the sum over the seats that signed, all of which g knows. A genesis
// bounds the total so that three times as much fits.
func (f *Finality) weight(g *genesis.Genesis) uint64 {
	var sum uint64
	for _, s := range f.Signatures {
		sum += g.Committee[s.Seat].Weight
	}
	return sum
}

func totalWeight(g *genesis.Genesis) uint64 {
	var sum uint64
	for _, seat := range g.Committee {
		sum += seat.Weight
	}
	return sum
}
