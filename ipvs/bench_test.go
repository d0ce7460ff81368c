package ipvs_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tandem-ha/tandem/ipvs"
)

func large() ipvs.Table {
	t := make(ipvs.Table)
	for i := range 1000 {
		e := entry(tcp(fmt.Sprintf("10.1.%d.%d:80", i/250, i%250+1)))
		for j := range 10 {
			e.Destinations = append(e.Destinations, dest(fmt.Sprintf("10.2.%d.%d:%d", i%250, j+1, 8000+i/250), 1))
		}
		t[e.ServiceKey] = e
	}
	return t
}

func BenchmarkDiff(b *testing.B) {
	want := large()
	one := make(ipvs.Table, len(want))
	for k, e := range want {
		one[k] = e
	}
	k := tcp("10.1.1.1:80").ServiceKey
	e := one[k]
	e.Destinations = slices.Clone(e.Destinations)
	e.Destinations[3].Weight = 0
	one[k] = e
	for _, bc := range []struct {
		name    string
		have    ipvs.Table
		changes int
	}{{"all new", nil, 11000}, {"equal", large(), 0}, {"one weight", one, 1}} {
		b.Run(bc.name, func(b *testing.B) {
			for b.Loop() {
				if n := len(ipvs.Diff(bc.have, want, all)); n != bc.changes {
					b.Fatal(n)
				}
			}
		})
	}
	b.Run("normal form", func(b *testing.B) {
		for b.Loop() {
			want.Normal()
		}
	})
}
