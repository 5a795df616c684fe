package localnet

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// TestNoOrphans: a child ends with its parent, also when that is killed, and not
// with Ctrl-C, which the terminal sends to the parent's process group.
func TestNoOrphans(t *testing.T) {
	d := openDoor(t)
	cmd := exec.Command(os.Args[0], "parent", d.Addr().String())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	conn, pid := d.next()
	if group, err := syscall.Getpgid(pid); err != nil || group != pid {
		t.Errorf("the child %d is in process group %d, %v", pid, group, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // it was killed
	d.wantGone(conn)
}
