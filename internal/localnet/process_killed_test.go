//go:build unix

package localnet

import (
	"os/exec"
	"testing"
)

// TestKilledTooLate: a program that ended by itself right before Kill is not taken
// for one that Kill ended, and does not live again.
func TestKilledTooLate(t *testing.T) {
	for script, want := range map[string]bool{
		"exit 3":     false,
		"exit 0":     false,
		"kill $$":    false,
		"kill -9 $$": true,
	} {
		err := exec.Command("sh", "-c", script).Run()
		if got := wasKilled(err); got != want {
			t.Errorf("%s: killed %v, want %v", script, got, want)
		}
		p := &Process{life: newLife()}
		p.life.killed = true
		if next := p.next(p.life, err); (next != nil) != want || (p.err == nil) != want {
			t.Errorf("%s: another life %v, error %v", script, next != nil, p.err)
		}
	}
}
