//go:build unix && !linux

package localnet

import "syscall"

// attributes put a child in a process group of its own, so that Ctrl-C on the
// terminal asks the parent alone.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
