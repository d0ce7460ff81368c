package vrrp

import "testing"

// A fault is put into words when somebody asks, and its place serves again.
func TestDropErrorInWords(t *testing.T) {
	var d DropError
	m := Meta{Fault: &d}
	for _, c := range []struct {
		reason  Reason
		format  string
		numbers []uint64
		want    string
	}{
		{DropTTL, "TTL or hop limit %d, must be %d", []uint64{254, 255}, "ttl: TTL or hop limit 254, must be 255"},
		{DropFamily, "100 % of the family", nil, "family: 100 % of the family"},
		{DropHMACMalformed, "%d %d %d %d", []uint64{1, 2, 3, 4}, "hmac-malformed: 1 2 3 4"},
		{DropType, "type %d", []uint64{2}, "type: type 2"},
	} {
		if err := m.drop(c.reason, c.format, c.numbers...); err != error(&d) || err.Error() != c.want {
			t.Errorf("%q, want %q", err, c.want)
		}
	}
	if err := (Meta{}).drop(DropType, "type %d", 2); err == error(&d) || err.Error() != "type: type 2" {
		t.Errorf("without a place: %v", err)
	}
}
