package track

import (
	"strconv"
	"strings"
	"testing"
)

func TestNumber(t *testing.T) {
	for in, want := range map[string]int64{
		"10": 10, "10\n": 10, "-20": -20, "+7": 7, "0x10": 16, "-0X1f": -31, "010": 8, " \t\n12abc": 12, "abc": 0, "": 0,
		"-": 0, "08": 0, "0x": 0, "0xg": 0, "- 5": 0, "5 6": 5, "2147483647": 2147483647, "-2147483648": -2147483648,
		"1.9": 1, "0": 0, "007": 7, "0xFf": 255, "0X0A": 10, "1x5": 1, "9:": 9, "9/": 9, "0xaG": 10, "0xf@": 15, "0x9`": 9, "0xag": 10,
	} {
		if n, ok := number([]byte(in)); n != want || !ok {
			t.Errorf("%q: %d, %v; want %d", in, n, ok, want)
		}
	}
	for _, in := range []string{"99999999999", "2147483648", "-2147483649", "0x80000000", strings.Repeat("9", 4096)} {
		if n, ok := number([]byte(in)); ok {
			t.Errorf("%q is %d, and does not fit into 32 bits", in, n)
		}
	}
}

func FuzzNumber(f *testing.F) {
	for _, s := range []string{"10", "0x1f", "-010 rest", "99999999999", "\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, ok := number(b)
		if !ok {
			return
		}
		// Written anew it is the same number, whatever followed it.
		for _, s := range []string{strconv.FormatInt(n, 10), " +" + strconv.FormatInt(n, 10) + "x"} {
			if n < 0 {
				s = strings.Replace(s, "+", "", 1)
			}
			if again, ok := number([]byte(s)); !ok || again != n {
				t.Errorf("%q is %d, %q is %d", b, n, s, again)
			}
		}
	})
}
