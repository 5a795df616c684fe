package ledger

import "testing"

// TestCheckSupply: no transfer gets there, only a fault in spend or credit would.
func TestCheckSupply(t *testing.T) {
	touched := func(before, after uint64) touchedAccount {
		return touchedAccount{ChangedAccount{Account: Account{Balance: after}}, Account{Balance: before}}
	}
	tests := []struct {
		name    string
		touched []touchedAccount
		panics  bool
	}{
		{"nothing", nil, false},
		{"moved", []touchedAccount{touched(5, 3), touched(0, 2)}, false},
		{"one came", []touchedAccount{touched(5, 3), touched(0, 3)}, true},
		{"one went", []touchedAccount{touched(5, 3), touched(0, 1)}, true},
		{"2^64 came", []touchedAccount{touched(5, 1<<63), touched(0, 1<<63), touched(0, 5)}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			defer func() {
				if panicked := recover() != nil; panicked != test.panics {
					t.Errorf("panicked: %v", panicked)
				}
			}()
			w := workingSet{touched: test.touched}
			w.checkSupply()
		})
	}
}
