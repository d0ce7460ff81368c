package script

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tandem-ha/tandem/config"
)

func TestEnvironmentInterface(t *testing.T) {
	e := Environment{}
	if !e.Interface("lo") {
		t.Error("there is no lo")
	}
	for _, name := range []string{"absent0", "lo:1", "", "a-name-that-is-too-long"} {
		if e.Interface(name) {
			t.Errorf("there is %q", name)
		}
	}
}

func TestEnvironmentMTU(t *testing.T) {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	if got := (Environment{}).MTU("lo"); got != lo.MTU {
		t.Errorf("lo: %d, want %d", got, lo.MTU)
	}
	if got := (Environment{}).MTU("absent0"); got != 0 {
		t.Errorf("an interface that is not there: %d", got)
	}
}

func TestEnvironmentUser(t *testing.T) {
	e := Environment{}
	for _, u := range []config.User{{}, {Name: "root"}, {Name: "root", Group: "root"}} {
		if err := e.User(u); err != nil {
			t.Errorf("%+v: %v", u, err)
		}
	}
	for _, u := range []config.User{{Name: "nobody-of-that-name"}, {Name: "root", Group: "no-group-of-that-name"}} {
		if e.User(u) == nil {
			t.Errorf("%+v: no error", u)
		}
	}
}

func TestEnvironmentScript(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	e := Environment{DefaultUser: config.User{Name: "root"}}
	fault := func(err error) bool { _, ok := errors.AsType[*Fault](err); return ok }
	if err := e.Script(config.Command{Args: []string{"/bin/true"}}, true); err != nil {
		t.Errorf("/bin/true: %v", err)
	}
	if err := e.Script(config.Command{Args: []string{plain}}, false); !errors.Is(err, fs.ErrPermission) || !errors.Is(err, ErrNotExecutable) || !fault(err) {
		t.Errorf("without an execute bit: %v", err)
	}
	if err := e.Script(config.Command{Args: []string{plain + ".absent"}}, false); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		t.Errorf("absent: %v", err)
	}
}

func TestEnvironmentSubnets(t *testing.T) {
	e := Environment{}
	if nets := e.Subnets("absent0"); nets != nil {
		t.Errorf("absent0 has %v", nets)
	}
	// The loopback may be down, but what it has is its own.
	for _, p := range e.Subnets("lo") {
		if !p.Addr().IsLoopback() && !slices.Contains([]int{32, 128}, p.Bits()) {
			t.Errorf("lo has %v", p)
		}
	}
	if nets := e.Subnets("lo"); len(nets) > 0 && !slices.Contains(nets, netip.MustParsePrefix("127.0.0.1/8")) {
		t.Errorf("lo has %v", nets)
	}
}

func TestEnvironmentScriptRisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root has scripts that run as root")
	}
	dir := t.TempDir()
	open := filepath.Join(dir, "open")
	for _, f := range []struct {
		path string
		mode os.FileMode
	}{{open, 0o777}, {filepath.Join(dir, "closed"), 0o755}} {
		if err := os.WriteFile(f.path, []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(f.path, f.mode); err != nil {
			t.Fatal(err)
		}
	}
	e := Environment{DefaultUser: config.User{Name: "root"}}
	if err := e.ScriptRisk(config.Command{Args: []string{open}}); !errors.Is(err, ErrInsecure) {
		t.Errorf("a script of mode 777: %v", err)
	}
	if err := e.ScriptRisk(config.Command{Args: []string{"/bin/true"}}); err != nil {
		t.Errorf("/bin/true: %v", err)
	}
	if err := e.ScriptRisk(config.Command{Args: []string{"/absent"}}); err != nil {
		t.Errorf("what is not there has no risk: %v", err)
	}
}
