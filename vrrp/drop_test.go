package vrrp

import "testing"

// A fault is put into words when somebody asks, and its place serves again.
func TestDropErrorInWords(t *testing.T) {
	var d DropError
	m := Meta{Fault: &d}
	for _, c := range []struct {
		err  error
		want string
	}{
		{m.drop(DropTTL, "TTL or hop limit %d, must be %d", 254, 255), "ttl: TTL or hop limit 254, must be 255"},
		{m.drop(DropFamily, "100 % of the family"), "family: 100 % of the family"},
		{m.drop(DropHMACMalformed, "%d %d %d %d", 1, 2, 3, 4), "hmac-malformed: 1 2 3 4"},
	} {
		if c.err != error(&d) || c.err.Error() != c.want {
			t.Errorf("%q, want %q", c.err, c.want)
		}
	}
	if err := (Meta{}).drop(DropType, "type %d", 2); err == error(&d) || err.Error() != "type: type 2" {
		t.Errorf("without a place: %v", err)
	}
}
