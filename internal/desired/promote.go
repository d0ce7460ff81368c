package desired

import (
	"slices"

	"github.com/tandem-ha/tandem/config"
)

// Promoted names the interfaces on which promote_secondaries is wanted: those of
// the instances that say so. An instance's VMAC has it anyway.
func Promoted(cfg *config.Config) []string {
	var out []string
	for _, in := range cfg.Instances {
		if in.PromoteSecondaries && in.VMAC == nil && in.Interface != "" && !slices.Contains(out, in.Interface) {
			out = append(out, in.Interface)
		}
	}
	return out
}
