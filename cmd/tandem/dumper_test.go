package main

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/control"
)

// A data file is there for each process that keepalived would run, under the
// names and in the folder that the configuration says.
func TestDataFiles(t *testing.T) {
	dir := t.TempDir()
	d := dumper{folder: dir}
	written := func(s control.Status) []string {
		t.Helper()
		if err := d.data(s); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range files {
			if b, err := os.ReadFile(f); err != nil || !bytes.HasPrefix(b, []byte("------< Global definitions >------\n")) {
				t.Errorf("%s: %v: %.80q", f, err, b)
			}
			if err := os.Remove(f); err != nil {
				t.Fatal(err)
			}
			files[i] = filepath.Base(f)
		}
		return files
	}
	if got, want := written(control.Status{}), []string{"keepalived.data", "keepalived_parent.data"}; !slices.Equal(got, want) {
		t.Errorf("with instances alone: %q, want %q", got, want)
	}
	s := control.Status{
		Services: []control.ServiceStatus{{ServiceStatus: health.ServiceStatus{Name: "FWM 1"}}},
		BFD:      []control.BFDStatus{{Name: "B1", Neighbour: netip.MustParseAddr("192.0.2.9")}},
		Config: &config.Config{
			Process: config.Process{Instance: "a", Umask: 0o177},
			Global:  config.Global{Files: config.Files{StateDump: "state", DumpInstance: true}},
		},
	}
	if got, want := written(s), []string{"state.a", "state_bfd.a", "state_check.a", "state_parent.a"}; !slices.Equal(got, want) {
		t.Errorf("with everything: %q, want %q", got, want)
	}
}

// Programs that ask keepalived for its version take the second word without its
// first letter.
func TestVersionLine(t *testing.T) {
	for name, pattern := range map[string]string{"keepalived": `^Keepalived v\d+\.\d+\.\d+ \(tandem .+\)\n$`, "tandem": `^tandem `} {
		var stderr bytes.Buffer
		p := &program{name: name, stdout: &bytes.Buffer{}, stderr: &stderr, getenv: func(string) string { return "" }}
		if status := p.main([]string{"-v"}); status != 0 {
			t.Errorf("%s -v: exit status %d", name, status)
		}
		if !regexp.MustCompile(pattern).MatchString(stderr.String()) {
			t.Errorf("%s -v: %q", name, stderr.String())
		}
	}
}
