package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// Exit codes, the same for every command.
const (
	exitOK          = 0
	exitFailed      = 1 // the command was understood and did not succeed
	exitUsage       = 2 // wrong flags, arguments or settings
	exitNotFound    = 3 // what was asked for is not there
	exitUnreachable = 4 // no node answers at the address
	exitNotApplied  = 5 // the transfer is final and moved nothing
	exitNotFinal    = 6 // what has to be final is not yet
)

const exitHelp = `Exit codes: 0 done, 1 failed, 2 wrong use or settings, 3 not found,
4 node unreachable, 5 transfer final but not applied, 6 not final yet.`

// exitError is an error with an exit code of its own.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }

func (e *exitError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// exitCode chooses the code of an error. What ends before a command began to run
// is wrong use: cobra's errors of flags and arguments have no type.
func exitCode(err error, ran bool) int {
	if e := new(exitError); errors.As(err, &e) {
		return e.code
	}
	if c := new(configError); errors.As(err, &c) || !ran {
		return exitUsage
	}
	return exitFailed
}

// markRun makes every command below cmd set ran when it begins.
func markRun(cmd *cobra.Command, ran *bool) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			*ran = true
			return run(cmd, args)
		}
	}
	for _, child := range cmd.Commands() {
		markRun(child, ran)
	}
}
