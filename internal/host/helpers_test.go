package host

import "slices"

func sum(flags []uint32) (out uint32) {
	for _, f := range flags {
		out |= f
	}
	return out
}

func sorted(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return s
}
