//go:build unix

package localnet

import (
	"errors"
	"os/exec"
	"syscall"
)

// wasKilled tells whether SIGKILL is what ended a program, by the error of waiting
// for it. One that came to its end right before cannot be told from one that lives
// when the signal is sent.
func wasKilled(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}
