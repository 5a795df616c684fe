//go:build !unix

package localnet

import "syscall"

func attributes() *syscall.SysProcAttr { return nil }
