//go:build kernel

package main

import (
	"os/exec"
	"slices"
	"testing"
)

// The shells here are installed with what else the privileged tests need.

// zshCall calls the completion with what zsh gives it; what its own functions
// would show is printed.
const zshCall = `compdef() { : }
_describe() { print -rl -- "${(@P)2}" }
_files() { print -r -- files "$@" }
compset() { : }
source ./script
words=("$@") CURRENT=$#
_tandem`

func TestCompletionZsh(t *testing.T) {
	s := newShell(t, "zsh")
	if out, err := exec.Command("zsh", "-n", s.script).CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, tc := range []struct{ words, want []string }{
		{[]string{"tandem", "che"}, []string{"check:check configuration files", "check-now:run the health checks of a real server now"}},
		{[]string{"tandem", "switchover", ""}, []string{"VI_1:MASTER on eth0"}},
		{[]string{"tandem", "check", "one"}, []string{"files"}},
		{[]string{"tandem", "status", "--run-dir", ""}, []string{"files -/"}},
		{[]string{"tandem", "check", "-o=j"}, []string{"-o=json:"}},
		{[]string{"tandem", "switchover", "VI_1", ""}, []string{""}},
	} {
		if got := s.run(zshCall, tc.words...); !slices.Equal(got, tc.want) {
			t.Errorf("%q: %q, want %q", tc.words, got, tc.want)
		}
	}
}

func TestCompletionFish(t *testing.T) {
	s := newShell(t, "fish")
	if out, err := exec.Command("fish", "--no-execute", s.script).CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, tc := range []struct {
		line string
		want []string
	}{
		{"tandem che", []string{"check\tcheck configuration files", "check-now\trun the health checks of a real server now"}},
		{"tandem switchover ", []string{"VI_1\tMASTER on eth0"}},
		{"tandem check on", []string{"one.conf"}},
		{"tandem explain advert_in", []string{"advert_int\tIs the time between adverts: whole seconds in version 2, hundredths in version 3."}},
	} {
		c := "source ./script; complete -C '" + tc.line + "'"
		if got := s.run(c); !slices.Equal(got, tc.want) {
			t.Errorf("%q: %q, want %q", tc.line, got, tc.want)
		}
	}
}
