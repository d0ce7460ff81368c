package main

import (
	"os/exec"
	"strings"
	"testing"
)

// TestManualPages holds the pages against the tables that they are made from,
// and against man's own formatter.
func TestManualPages(t *testing.T) {
	for section, wanted := range map[string][]string{
		"8": {"switchover [INSTANCE...]", "-f, --use-file=FILE", "--state-dir", "SIGHUP"},
		"5": {"advert_int", "VRRP_INSTANCE", "virtual_ipaddress", "follow_instance"},
	} {
		p, stdout, stderr := newProgram("tandem")
		if status := p.main([]string{"man", section}); status != exitOK || stderr.Len() > 0 {
			t.Fatalf("man %s: status %d, %s", section, status, stderr)
		}
		out := stdout.String()
		for _, line := range strings.Split(out, "\n") {
			if strings.HasPrefix(line, ".") && !strings.Contains(" .TH .SH .TP .B .BR .br .RS .RE ", " "+strings.Fields(line)[0]+" ") {
				t.Errorf("section %s: text taken for a request: %q", section, line)
			}
		}
		groff := exec.Command("groff", "-man", "-Tascii", "-ww", "-P-cbou")
		groff.Stdin = strings.NewReader(out)
		var complaints strings.Builder
		groff.Stderr = &complaints
		text, err := groff.Output()
		if err != nil || complaints.Len() > 0 {
			t.Fatalf("man %s: %v: %s", section, err, complaints.String())
		}
		for _, w := range wanted {
			if !strings.Contains(string(text), w) {
				t.Errorf("section %s lacks %q", section, w)
			}
		}
	}
	p, _, stderr := newProgram("tandem")
	if status := p.main([]string{"man", "3"}); status == exitOK || !strings.Contains(stderr.String(), "name the section") {
		t.Errorf("man 3: status %d, %q", status, stderr)
	}
}
