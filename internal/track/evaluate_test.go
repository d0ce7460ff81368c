package track

import (
	"slices"
	"testing"
)

func scripted(weight int, known, up bool) Tracked {
	return Tracked{Name: "chk", Kind: KindScript, Weight: weight, Known: known, Up: up}
}

func link(weight int, up bool) Tracked {
	return Tracked{Name: "eth1", Kind: KindInterface, Weight: weight, Known: true, Up: up}
}

func numbered(weight int, value int64) Tracked {
	return Tracked{Name: "load", Kind: KindFile, Weight: weight, Value: value}
}

func counted(n int, t Tracked) Tracked { t.Counted = n; return t }

func other(kind Kind, weight int, up bool) Tracked {
	return Tracked{Name: "x", Kind: kind, Weight: weight, Known: true, Up: up}
}

func reverse(t Tracked) Tracked { t.Reverse = true; return t }

func added(t Tracked) Tracked { t.Added = true; return t }

func TestEvaluate(t *testing.T) {
	for name, tc := range map[string]struct {
		base     int
		tracks   []Tracked
		priority uint8
		faults   []string
	}{
		"nothing":                      {100, nil, 100, nil},
		"positive while up":            {100, []Tracked{scripted(10, true, true)}, 110, nil},
		"positive while down":          {100, []Tracked{scripted(10, true, false)}, 100, nil},
		"negative while up":            {100, []Tracked{scripted(-10, true, true)}, 100, nil},
		"negative while down":          {100, []Tracked{scripted(-10, true, false)}, 90, nil},
		"reverse positive while up":    {100, []Tracked{reverse(scripted(10, true, true))}, 90, nil},
		"reverse positive while down":  {100, []Tracked{reverse(scripted(10, true, false))}, 100, nil},
		"reverse negative while up":    {100, []Tracked{reverse(scripted(-10, true, true))}, 100, nil},
		"reverse negative while down":  {100, []Tracked{reverse(scripted(-10, true, false))}, 110, nil},
		"unknown positive":             {100, []Tracked{scripted(10, false, false)}, 100, nil},
		"unknown negative":             {100, []Tracked{scripted(-10, false, false)}, 100, nil},
		"unknown reverse":              {100, []Tracked{reverse(scripted(-10, false, false)), reverse(scripted(10, false, false))}, 100, nil},
		"interface weights":            {100, []Tracked{link(5, true), link(-20, false), link(7, false), link(-9, true)}, 85, nil},
		"interface that is not there":  {100, []Tracked{{Name: "eth1", Kind: KindInterface, Weight: -20}}, 80, nil},
		"sum is cut only at the end":   {200, []Tracked{scripted(100, true, true), scripted(-100, true, false)}, 200, nil},
		"at least 1":                   {100, []Tracked{scripted(-253, true, false)}, 1, nil},
		"at most 254":                  {250, []Tracked{scripted(253, true, true)}, 254, nil},
		"the owner has no weights":     {255, []Tracked{scripted(-50, true, false)}, 255, nil},
		"script down":                  {100, []Tracked{scripted(0, true, false)}, 100, []string{"script chk failed"}},
		"script up":                    {100, []Tracked{scripted(0, true, true)}, 100, nil},
		"script up in reverse":         {100, []Tracked{reverse(scripted(0, true, true))}, 100, []string{"script chk succeeded"}},
		"script down in reverse":       {100, []Tracked{reverse(scripted(0, true, false))}, 100, nil},
		"script unknown":               {100, []Tracked{scripted(0, false, false)}, 100, []string{"waiting for script chk"}},
		"script unknown in reverse":    {100, []Tracked{reverse(scripted(0, false, false))}, 100, []string{"waiting for script chk"}},
		"script added to a running":    {100, []Tracked{added(scripted(0, false, false)), added(scripted(9, false, false))}, 100, nil},
		"added, then down":             {100, []Tracked{added(scripted(0, true, false))}, 100, []string{"script chk failed"}},
		"interface down":               {100, []Tracked{link(0, false)}, 100, []string{"interface eth1 down"}},
		"interface not there":          {100, []Tracked{{Name: "eth1", Kind: KindInterface}}, 100, []string{"interface eth1 down"}},
		"interface up in reverse":      {100, []Tracked{reverse(link(0, true))}, 100, []string{"interface eth1 up"}},
		"an owner can be in fault too": {255, []Tracked{scripted(0, true, false), link(0, false)}, 255, []string{"script chk failed", "interface eth1 down"}},
		"file times weight":            {100, []Tracked{numbered(2, 7), numbered(-3, 5)}, 99, nil},
		"file in reverse":              {100, []Tracked{reverse(numbered(2, 7)), reverse(numbered(-3, -5))}, 71, nil},
		"file adds at most 253":        {1, []Tracked{numbered(1, 300)}, 254, nil},
		"file cut before the sum":      {100, []Tracked{numbered(1, 1000), numbered(1, -200)}, 153, nil},
		"file at -253":                 {254, []Tracked{numbered(1, -253)}, 1, nil},
		"file at -254":                 {254, []Tracked{numbered(1, -254)}, 254, []string{"tracked file load has status -254"}},
		"file at -254 after 5":         {100, []Tracked{counted(5, numbered(1, -254))}, 105, []string{"tracked file load has status -254"}},
		"file at -253 after 5":         {254, []Tracked{counted(5, numbered(1, -253))}, 1, nil},
		"file at 254 in reverse":       {254, []Tracked{reverse(numbered(1, 254))}, 254, []string{"tracked file load has status 254"}},
		"file without weight":          {100, []Tracked{numbered(0, 0)}, 100, nil},
		"file without weight, 5":       {100, []Tracked{numbered(0, 5)}, 100, []string{"tracked file load has status 5"}},
		"file reversed, 0":             {100, []Tracked{reverse(numbered(0, 0))}, 100, []string{"tracked file load has status 0"}},
		"file reversed, -5":            {100, []Tracked{reverse(numbered(0, -5))}, 100, nil},
		"the greatest product":         {100, []Tracked{numbered(254, 2147483647), numbered(-254, -2147483648)}, 254, nil},
		"process":                      {100, []Tracked{other(KindProcess, 10, true), other(KindProcess, -20, false)}, 90, nil},
		"process lost":                 {100, []Tracked{other(KindProcess, 0, false)}, 100, []string{"tracked process x has no quorum"}},
		"process there in reverse":     {100, []Tracked{reverse(other(KindProcess, 0, true))}, 100, []string{"tracked process x has its quorum"}},
		"session up":                   {100, []Tracked{other(KindBFD, 20, true)}, 120, nil},
		"session unknown is down":      {100, []Tracked{{Name: "x", Kind: KindBFD, Weight: -20}, {Name: "x", Kind: KindBFD, Weight: 30}}, 80, nil},
		"session unknown in reverse":   {100, []Tracked{reverse(Tracked{Name: "x", Kind: KindBFD, Weight: -20})}, 120, nil},
		"session unknown, no weight":   {100, []Tracked{{Name: "x", Kind: KindBFD}}, 100, []string{"BFD instance x down"}},
		"session up in reverse":        {100, []Tracked{reverse(other(KindBFD, 0, true))}, 100, []string{"BFD instance x up"}},
	} {
		t.Run(name, func(t *testing.T) {
			priority, faults := Evaluate(tc.base, tc.tracks)
			if priority != tc.priority || !slices.Equal(faults, tc.faults) {
				t.Errorf("priority %d, faults %q; want %d, %q", priority, faults, tc.priority, tc.faults)
			}
		})
	}
}

// TestExplain: the numbers that are told are those that count.
func TestExplain(t *testing.T) {
	for want, tracks := range map[string][]Tracked{
		"base 150":                 {scripted(-60, true, true), scripted(0, true, false), link(-20, true)},
		"base 150, script chk -60": {scripted(-60, true, false), link(0, true)},
		"base 150, script chk +10, interface eth1 +5": {scripted(10, true, true), link(5, true)},
		"base 150, file load -6":                      {numbered(-2, 3)},
	} {
		if got := Explain(150, tracks); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
