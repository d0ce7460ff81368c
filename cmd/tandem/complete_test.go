package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// completed is what the hidden command says of words.
func completed(t *testing.T, p *program, out *bytes.Buffer, words ...string) (kind string, candidates []string) {
	t.Helper()
	out.Reset()
	if status := p.main(append([]string{completeCommand, "--"}, words...)); status != 0 {
		t.Fatalf("%q: status %d", words, status)
	}
	for i, line := range strings.Split(strings.TrimRight(out.String(), "\n"), "\n") {
		if i == 0 {
			kind = line
			continue
		}
		word, _, tab := strings.Cut(line, "\t")
		if !tab {
			t.Errorf("%q: a line without a tab: %q", words, line)
		}
		candidates = append(candidates, word)
	}
	return kind, candidates
}

func TestComplete(t *testing.T) {
	for _, tc := range []struct {
		line, kind string
		// want are all candidates; with "..." at the end, the first of them.
		want string
	}{
		{"", "words", "run check fmt config explain simulate ..."},
		{"s", "words", "simulate status switchover"},
		{"__", "words", ""},
		{"keyw", "words", ""},
		{"--run-dir /x st", "words", "status"},
		{"--run-dir ", "dirs", ""},
		{"--use", "words", "--use-file"},
		{"-f ", "files", ""},
		{"-n --pid ", "files", ""},
		{"--pid=", "files", ""},
		{"-n ", "words", "--use-file -f --vrrp -P ..."},
		{"check ", "files", ""},
		{"check -", "words", "--config-id -o --offline --strict --help"},
		{"check --st", "words", "--strict"},
		{"check -o ", "words", "text json github"},
		{"check -o=j", "words", "-o=json"},
		{"check -o json a.conf --off", "words", "--offline"},
		{"fmt -d ", "files", ""},
		{"config ", "words", "show"},
		{"config show ", "files", ""},
		{"config show a ", "words", ""},
		{"config show -o ", "words", "keepalived json"},
		{"explain advert_i", "words", "advert_int"},
		{"explain connect_port TCP", "words", ""},
		{"explain advert_int ", "words", "vrrp_instance"},
		{"explain weight virtual_server/", "words", "virtual_server/real_server virtual_server/real_server/FILE_CHECK"},
		{"completion ", "words", "bash zsh fish"},
		{"help op", "words", "options"},
		{"help check ", "words", ""},
		{"status --run-dir ", "dirs", ""},
		{"status --socket=", "files", ""},
		{"status -o ", "words", "text json"},
		{"status ", "words", ""},
		{"run --conf", "words", "--config-id --config-test"},
		{"run -f ", "files", ""},
		{"frobnicate ", "words", ""},
		{"switchover VI", "words", ""},
	} {
		p, stdout, _ := newProgram("tandem")
		words := strings.Split(tc.line, " ")
		kind, got := completed(t, p, stdout, words...)
		want, more := strings.CutSuffix(tc.want, "...")
		wants := strings.Fields(want)
		if more && len(got) > len(wants) {
			got = got[:len(wants)]
		}
		if kind != tc.kind || !slices.Equal(got, wants) {
			t.Errorf("%q: %s %q, want %s %q", tc.line, kind, got, tc.kind, wants)
		}
		// A line that is split here says the same.
		p, stdout, _ = newProgram("tandem")
		if status := p.main([]string{completeCommand, "--line", "/usr/bin/tandem " + tc.line}); status != 0 || !strings.HasPrefix(stdout.String(), tc.kind+"\n") {
			t.Errorf("%q as a line: %d %s", tc.line, status, stdout)
		}
	}
}

func TestSplitLine(t *testing.T) {
	for line, want := range map[string][]string{
		"": {""}, "a": {"a"}, "a ": {"a", ""}, "  a  b": {"a", "b"}, `a 'b c' d\ e "f`: {"a", "b c", "d e", "f"}, `"a\"b" '\'`: {`a"b`, `\`},
	} {
		if got := splitLine(line); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

func TestCompleteCommandLine(t *testing.T) {
	p, _, stderr := newProgram("tandem")
	if status := p.main([]string{completeCommand}); status != exitFatal || !strings.Contains(stderr.String(), "help completion") {
		t.Errorf("%d %s", status, stderr)
	}
	for _, args := range [][]string{{"completion"}, {"completion", "csh"}, {"completion", "bash", "zsh"}} {
		p, stdout, stderr := newProgram("tandem")
		if status := p.main(args); status != exitFatal || stdout.Len() > 0 || stderr.String() != "tandem completion: name a shell: bash, zsh or fish\n" {
			t.Errorf("%v: %d %q %q", args, status, stdout, stderr)
		}
	}
}

// shell is a shell with the script for it and a program called tandem, the test
// itself, that talks to an agent.
type shell struct {
	t                 *testing.T
	name, script, dir string
	env               []string
}

func newShell(t *testing.T, name string) *shell {
	t.Helper()
	n := newNode(t, "")
	n.start()
	p, stdout, _ := newProgram("tandem")
	if status := p.main([]string{"completion", name}); status != 0 {
		t.Fatalf("status %d", status)
	}
	s := &shell{t: t, name: name, dir: t.TempDir()}
	s.script = filepath.Join(s.dir, "script")
	if err := os.WriteFile(s.script, stdout.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(s.dir, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, "tandem")); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"one.conf", "two three.conf"} {
		if err := os.WriteFile(filepath.Join(s.dir, file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.env = append(os.Environ(), fakeEnv+"=1", "TANDEM_SOCKET="+n.path("tandem.sock"), "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+s.dir)
	return s
}

// run runs a program for the shell and returns the lines that it prints.
func (s *shell) run(program string, args ...string) []string {
	s.t.Helper()
	c := exec.Command(s.name, append([]string{"-c", program, s.name}, args...)...)
	c.Dir, c.Env = s.dir, s.env
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil || stderr.Len() > 0 {
		s.t.Fatalf("%s %q: %v\n%s%s", s.name, args, err, out, stderr.String())
	}
	var lines []string
	for line := range strings.Lines(string(out)) {
		lines = append(lines, strings.TrimRight(line, "\n"))
	}
	return lines
}

// bashCall calls the completion as bash does for the line that is its argument,
// with the words as bash would split them behind it.
const bashCall = `source ./script
[[ $(complete -p tandem) = *"-F _tandem"* ]] || exit 1
COMP_LINE=$1 COMP_POINT=${#1}
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_tandem tandem "${COMP_WORDS[COMP_CWORD]}" ""
printf '%s\n' "${COMPREPLY[@]}"`

func TestCompletionBash(t *testing.T) {
	s := newShell(t, "bash")
	c := exec.Command("bash", "-n", s.script)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, tc := range []struct {
		line  string
		words []string
		want  []string
	}{
		{"tandem che", []string{"tandem", "che"}, []string{"check", "check-now"}},
		{"tandem switchover ", []string{"tandem", "switchover", ""}, []string{"VI_1"}},
		{"tandem switchover VI_1 ", []string{"tandem", "switchover", "VI_1", ""}, []string{""}},
		{"tandem check one", []string{"tandem", "check", "one"}, []string{"one.conf"}},
		{"tandem fmt two", []string{"tandem", "fmt", "two"}, []string{"two three.conf"}},
		{"tandem check --o", []string{"tandem", "check", "--o"}, []string{"--offline"}},
		// bash makes words of their own of '='.
		{"tandem check -o=js", []string{"tandem", "check", "-o", "=", "js"}, []string{"json"}},
		{"tandem check -o=", []string{"tandem", "check", "-o", "="}, []string{"text", "json", "github"}},
		{"tandem status --run-dir=b", []string{"tandem", "status", "--run-dir", "=", "b"}, []string{"bin"}},
		{"tandem explain advert_in", []string{"tandem", "explain", "advert_in"}, []string{"advert_int"}},
	} {
		if got := s.run(bashCall, append([]string{tc.line}, tc.words...)...); !slices.Equal(got, tc.want) {
			t.Errorf("%q: %q, want %q", tc.line, got, tc.want)
		}
	}
}
