package config

import (
	"runtime"
	"strings"
	"testing"
)

// TestPassageStandsForItself says which services are left as text until their turn.
func TestPassageStandsForItself(t *testing.T) {
	for _, tc := range []struct {
		text  string
		lines int
	}{
		{"virtual_server 192.0.2.1 80 {\n}\nnext\n", 2},
		{" \tvirtual_server 192.0.2.1 80 { }  # end {\n", 1},
		{"virtual_server 192.0.2.1 80 # {\n\n! a comment\n{\n  a { b }\n}\n", 6},
		{"virtual_server 192.0.2.1 80 {\n  path \"/} { # !\"\n}\n", 3},
		{"virtual_server 192.0.2.1 80 {\r\n}\r\n", 2},
		// Not with its last line's end missing, as the next reading may go on there.
		{"virtual_server 192.0.2.1 80 {\n}", 0},
		{"virtual_server 192.0.2.1 80 {\n", 0},
		{"virtual_server 192.0.2.1 80\nreal_server {\n}\n", 0},
		{"virtual_server 192.0.2.1 80 {\n} next\n", 0},
		{"virtual_server 192.0.2.1 80 {\n}}\n", 0},
		{"virtual_server 192.0.2.1 80 {\n} {\n}\n", 0},
		{"virtual_server_group G {\n}\n", 0},
		{"virtual_server\n", 0},
		{"x virtual_server 192.0.2.1 80 {\n}\n", 0},
		{"virtual_server 192.0.2.1 $PORT {\n}\n", 0},
		{"virtual_server 192.0.2.1 80 {\n@other weight 1\n}\n", 0},
		{"virtual_server 192.0.2.1 80 {\n~SEQ(N, 2) weight $N\n}\n", 0},
		{"virtual_server 192.0.2.1 80 {\nincluder other.conf\n}\n", 0},
		{"virtual_server 192.0.2.1 80 {\n path \"/\n}\n", 0},
		{"virtual_server 192.0.2.1 80 {\n notify_up 'a b'\n}\n", 0},
		{"virtual_server 192.0.2.1 80 {\n notify_up \"${_PWD}/up\"\n}\n", 0},
		{"virtual_server 192.0.2.1 80 {\n notify_up \"/up \\\"x\"\n}\n", 0},
		{"virtual_server 192.0.2.1 80 {\n" + strings.Repeat("x", maxLine+1) + "\n}\n", 0},
	} {
		p, ok := passageAt(newSource("f", tc.text, nil), 0, new(extent))
		if ok != (tc.lines > 0) || ok && p.lines != tc.lines {
			t.Errorf("%d lines, %v, want %d of %q", p.lines, ok, tc.lines, tc.text)
		}
	}
}

// TestPassageIsForgotten keeps what a large file takes from growing with what is
// only needed to read it.
func TestPassageIsForgotten(t *testing.T) {
	text := []byte(bigFile(1))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	Parse("f", text, Options{})
	runtime.ReadMemStats(&after)
	if cost, most := after.TotalAlloc-before.TotalAlloc, uint64(20*len(text)); cost > most {
		t.Errorf("a file of %d bytes takes %d bytes to read, more than %d", len(text), cost, most)
	}
}
