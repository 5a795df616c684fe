//go:build !unix

package localnet

import "syscall"

func attributes() *syscall.SysProcAttr { return nil }

// wasKilled cannot tell here.
func wasKilled(err error) bool { return err != nil }
