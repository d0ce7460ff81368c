//go:build kernel

package daemon

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestReapAsProcess1 runs as process 1 of a namespace of its own, where orphans
// come to it: they go, and the scripts that it waits for keep their status.
func TestReapAsProcess1(t *testing.T) {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), roleEnv+"=reap")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	out, err := c.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "status 7, none left" {
		t.Errorf("%s, error %v", out, err)
	}
}
