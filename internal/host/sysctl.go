package host

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Sysctl is a setting of the kernel: a name below /proc/sys with slashes, as in
// "net/ipv4/conf/eth0/arp_ignore", and its text.
type Sysctl struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// SavedSysctl is a setting that tandem changed: what it was before, and what it
// was set to.
type SavedSysctl struct {
	Name   string `json:"name"`
	Before string `json:"before"`
	Set    string `json:"set"`
}

// SysctlTable reads and writes settings; Sysctls is the kernel's, hosttest has
// one in memory.
type SysctlTable interface {
	// Read returns those of the settings that there are.
	Read(names []string) (map[string]string, error)
	// Write sets them; one that there is not is passed over.
	Write(settings []Sysctl) error
}

// SysctlPlan is what to do about settings.
type SysctlPlan struct {
	// Changes are to be written.
	Changes []Sysctl
	// During is to be in the record before they are written, After once they are.
	During, After []SavedSysctl
}

// PlanSysctls says how the wanted settings come about and how those that are no
// longer wanted are put back. have is what the settings are now, and must have
// all that are wanted or saved, as far as they exist; saved is the record. A
// setting that was as wanted before is not ours. One that somebody else has
// changed since stays as it is when it is no longer wanted. Each name counts
// once, the first time.
func PlanSysctls(have map[string]string, want []Sysctl, saved []SavedSysctl) SysctlPlan {
	before := make(map[string]SavedSysctl, len(saved))
	for _, s := range saved {
		before[s.Name] = s
	}
	var plan SysctlPlan
	wanted := make(map[string]bool, len(want))
	for _, w := range want {
		if wanted[w.Name] {
			continue
		}
		wanted[w.Name] = true
		s, ours := before[w.Name]
		now, exists := have[w.Name]
		if !exists || !ours && now == w.Value {
			continue
		}
		if now != w.Value {
			plan.Changes = append(plan.Changes, w)
		}
		if !ours {
			s = SavedSysctl{Name: w.Name, Before: now}
		}
		s.Set = w.Value
		plan.After = append(plan.After, s)
	}
	plan.During = append(plan.During, plan.After...)
	for _, s := range saved {
		if wanted[s.Name] {
			continue
		}
		if now, exists := have[s.Name]; exists && now == s.Set && now != s.Before {
			plan.Changes = append(plan.Changes, Sysctl{s.Name, s.Before})
			plan.During = append(plan.During, s)
		}
	}
	return plan
}

func ipv4Setting(link, name string) string { return "net/ipv4/conf/" + link + "/" + name }

// sysctls are what a VMAC's own settings must be: it answers ARP for its own
// addresses only, one of IPv6 therefore for none, and hears packets from them,
// since its peer sends from them. They need no record: they go with the link.
func (l VirtualLink) sysctls() []Sysctl {
	var out []Sysctl
	if l.Kind == Macvlan {
		out = append(out, Sysctl{ipv4Setting(l.Name, "arp_ignore"), "1"})
	}
	if l.IPv4 && l.Kind == Macvlan {
		out = append(out,
			Sysctl{ipv4Setting(l.Name, "accept_local"), "1"},
			Sysctl{ipv4Setting(l.Name, "rp_filter"), "0"},
			Sysctl{ipv4Setting(l.Name, "promote_secondaries"), "1"},
		)
	}
	disabled := "1"
	if l.IPv6 {
		disabled = "0"
	}
	return append(out, Sysctl{"net/ipv6/conf/" + l.Name + "/disable_ipv6", disabled})
}

// VMACBaseSysctls are what the settings of a link that carries VMACs of IPv4 must
// be, so that it does not answer ARP for their addresses with its own MAC.
func VMACBaseSysctls(base string) []Sysctl {
	return []Sysctl{{ipv4Setting(base, "arp_ignore"), "1"}, {ipv4Setting(base, "arp_filter"), "1"}}
}

// PromoteSecondariesSysctls keep the other addresses of a subnet where the first
// is taken off the link.
func PromoteSecondariesSysctls(link string) []Sysctl {
	return []Sysctl{{ipv4Setting(link, "promote_secondaries"), "1"}}
}

// RPFilterNames are the settings that RPFilterSysctls looks at.
func RPFilterNames(links []string) []string {
	names := []string{ipv4Setting("all", "rp_filter"), ipv4Setting("default", "rp_filter")}
	for _, l := range links {
		names = append(names, ipv4Setting(l, "rp_filter"))
	}
	return names
}

// RPFilterSysctls are how reverse path filtering can be off on VMACs: the kernel
// goes by the greater of the setting for all and that of the link, so the former
// becomes 0 and each of the links gets what held for it before. There are none
// where it was 0 already. have and saved are as for PlanSysctls; links are all
// but the loopback and the VMACs.
func RPFilterSysctls(have map[string]string, saved []SavedSysctl, links []string) []Sysctl {
	was := func(name string) (int, bool) {
		text, ok := have[name]
		for _, s := range saved {
			if s.Name == name && s.Set == text {
				text = s.Before
			}
		}
		n, err := strconv.Atoi(text)
		return n, ok && err == nil
	}
	names := RPFilterNames(links)
	all, ok := was(names[0])
	if !ok || all == 0 {
		return nil
	}
	out := []Sysctl{{names[0], "0"}}
	for _, name := range names[1:] {
		if own, ok := was(name); ok {
			out = append(out, Sysctl{name, strconv.Itoa(max(own, all))})
		}
	}
	return out
}

// Sysctls are the settings of the kernel, those below net being of the network
// namespace of the calling thread.
type Sysctls struct {
	root string
}

var _ SysctlTable = Sysctls{}

// NewSysctls returns the settings of the kernel that runs.
func NewSysctls() Sysctls { return Sysctls{root: "/proc/sys"} }

func (s Sysctls) path(name string) (string, error) {
	if !filepath.IsLocal(name) {
		return "", fmt.Errorf("setting %q: %w", name, fs.ErrInvalid)
	}
	return filepath.Join(s.root, name), nil
}

// Read implements SysctlTable.
func (s Sysctls) Read(names []string) (map[string]string, error) {
	out := make(map[string]string, len(names))
	var errs []error
	for _, name := range names {
		path, err := s.path(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("read setting: %w", err))
			continue
		}
		out[name] = strings.TrimSpace(string(b))
	}
	return out, errors.Join(errs...)
}

// Write implements SysctlTable.
func (s Sysctls) Write(settings []Sysctl) error {
	var errs []error
	for _, w := range settings {
		path, err := s.path(w.Name)
		if err == nil {
			err = set(path, w.Value)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("set %s to %s: %w", w.Name, w.Value, err))
		}
	}
	return errors.Join(errs...)
}

// set writes a file that must exist already.
func set(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return cmp.Or(err, f.Close())
}
