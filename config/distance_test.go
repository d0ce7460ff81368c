package config

import "testing"

func TestEditDistance(t *testing.T) {
	for _, tc := range []struct {
		a, b        string
		limit, want int
	}{
		{"", "", 9, 0}, {"a", "", 9, 1}, {"", "ab", 9, 2}, {"", "ab", 2, 2}, {"status", "status", 9, 0}, {"statsu", "status", 9, 1},
		{"stauts", "status", 9, 1}, {"statu", "status", 9, 1}, {"xtatus", "status", 9, 1}, {"abc", "xyz", 9, 3}, {"a", "abcdef", 3, 3},
	} {
		if got := EditDistance(tc.a, tc.b, tc.limit); got != tc.want {
			t.Errorf("%q %q within %d: %d, want %d", tc.a, tc.b, tc.limit, got, tc.want)
		}
	}
}
