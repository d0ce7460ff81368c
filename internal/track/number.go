package track

import (
	"math"
	"strings"
)

// numberBytes is how much of a tracked file is read.
const numberBytes = 128

// number reads the number at the start of a tracked file, as strtol of C does
// with base 0: white space, a sign, and digits, hexadecimal behind 0x and octal
// behind 0. What follows the digits does not count, and where there are none the
// number is 0. It is false for a number that does not fit into 32 bits, which
// keepalived passes over.
func number(content []byte) (int64, bool) {
	s := strings.TrimLeft(string(content[:min(len(content), numberBytes)]), " \t\n\v\f\r")
	negative := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		negative = s[0] == '-'
		s = s[1:]
	}
	base := int64(10)
	switch {
	case len(s) > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') && digit(s[2]) < 16:
		base, s = 16, s[2:]
	case s != "" && s[0] == '0':
		base = 8
	}
	n := int64(0)
	for i := 0; i < len(s) && digit(s[i]) < base; i++ {
		n = n*base + digit(s[i])
		if n > math.MaxInt32+1 {
			return 0, false
		}
	}
	if negative {
		n = -n
	}
	return n, n >= math.MinInt32 && n <= math.MaxInt32
}

// digit is the value of a digit, and more than any base for what is none.
func digit(c byte) int64 {
	switch {
	case c >= '0' && c <= '9':
		return int64(c - '0')
	case c >= 'a' && c <= 'f':
		return int64(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int64(c-'A') + 10
	}
	return 99
}
