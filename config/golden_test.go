package config

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// host is an Environment for tests: interfaces called none... are missing, as
// are scripts below /missing; those below /insecure may not be run.
type host struct{}

func (host) Interface(name string) bool { return !strings.HasPrefix(name, "none") }

func (host) Script(cmd Command, _ bool) error {
	switch {
	case strings.HasPrefix(cmd.Args[0], "/missing/"):
		return fmt.Errorf("script not found: %w", fs.ErrNotExist)
	case strings.HasPrefix(cmd.Args[0], "/insecure/"):
		return errors.New("script not secure")
	}
	return nil
}

func (host) User(u User) error {
	if u.Name == "stranger" {
		return errors.New("no such user")
	}
	return nil
}

const separator = "----------\n"

// TestGolden compares what each file of testdata means with what is written
// below its line of dashes.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		t.Run(name, func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, want, found := strings.Cut(string(content), separator)
			if !found {
				t.Fatal("no line of dashes")
			}
			cfg, ds := Parse("in.conf", []byte(input), Options{ID: "east", Environment: host{}})
			got := "\n" + describe(t, cfg, ds)
			checkPlaces(t, input, ds)
			if *update {
				if err := os.WriteFile(file, []byte(input+separator+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got (go test -update accepts it):\n%s", diff)
			}
		})
	}
}

// describe writes what a configuration means: its JSON without the settings of
// the program that are defaults, then the diagnostics.
func describe(t *testing.T, cfg *Config, ds []Diagnostic) string {
	t.Helper()
	cfg.Global.RouterID = strings.Replace(cfg.Global.RouterID, hostName(), "HOST", 1)
	plain, _ := Parse("", nil, Options{})
	plain.Global.RouterID = "HOST"
	shown := struct {
		Process map[string]json.RawMessage `json:"process,omitempty"`
		Global  map[string]json.RawMessage `json:"global,omitempty"`
		*Config
	}{differing(t, plain.Process, cfg.Process), differing(t, plain.Global, cfg.Global), cfg}
	j, err := json.MarshalIndent(shown, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nexit %d, runnable %t\n", j, ExitCode(ds), Runnable(ds))
	for _, d := range ds {
		fmt.Fprintln(&b, d)
		if d.Help != "" {
			fmt.Fprintln(&b, "    "+d.Help)
		}
	}
	return b.String()
}

// differing is what of v is not as in plain, by the names in JSON.
func differing(t *testing.T, plain, v any) map[string]json.RawMessage {
	t.Helper()
	fields := func(v any) (m map[string]json.RawMessage) {
		j, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(j, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	defaults, out := fields(plain), fields(v)
	for name, value := range out {
		if string(defaults[name]) == string(value) {
			delete(out, name)
		}
	}
	return out
}

// checkPlaces asserts that every diagnostic lies inside the source and quotes
// the line it is about.
func checkPlaces(t *testing.T, input string, ds []Diagnostic) {
	t.Helper()
	lines := strings.Split(input, "\n")
	for _, d := range ds {
		if d.Pos.Line < 1 || d.Pos.Line > len(lines) {
			t.Errorf("%v: the line is outside the source", d)
			continue
		}
		line := strings.TrimSuffix(lines[d.Pos.Line-1], "\r")
		if d.Line != line || d.Pos.Column < 1 || d.End < d.Pos.Column || d.End > len(line)+1 {
			t.Errorf("%v: columns %d to %d of %q, quoted %q", d, d.Pos.Column, d.End, line, d.Line)
		}
	}
}
