package localnet

import "syscall"

// attributes put a child in a process group of its own, so that Ctrl-C on the
// terminal asks the parent alone, and let it end with its parent.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
