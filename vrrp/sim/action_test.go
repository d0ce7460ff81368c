package sim

import (
	"strings"
	"testing"
)

// TestParseAction reads actions, and writes them as they were.
func TestParseAction(t *testing.T) {
	for _, text := range []string{
		"10s kill lb1 for 5s", "0s stop lb1", "12s cut lb1", "12.5s cut lb1 lb2 for 3s", "15s loss 0.2 for 10s", "15s delay 0.05",
		"20s priority lb1 -60 for 1m0s", "20s priority lb1 VI_1 -60", "30s switchover lb1", "31s fault lb1 VI_2 for 1s",
	} {
		a, err := ParseAction(text)
		if err != nil || a.String() != text {
			t.Errorf("%q is read as %q, %v", text, a, err)
		}
	}
	for text, want := range map[string]string{
		"":                      "write a time",
		"kill lb1":              "kill is no time",
		"-1s kill lb1":          "-1s is no time",
		"1s kill lb1 for ever":  "ever is no time",
		"1s loss":               "loss needs a number",
		"1s loss some":          "some is no number",
		"1s kill lb1 VI_1 lb2":  "lb2 is one word too many",
		"1s loss lb1 0.5":       "lb1 is one word too many",
		"1s cut lb1 lb2 lb3":    "lb3 is one word too many",
		"1s kill lb1 for -1s":   "-1s is no time",
		"1s priority lb1 lower": "lower is no number",
	} {
		if a, err := ParseAction(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is read as %q, %v, want an error that says %q", text, a, err, want)
		}
	}
}
