package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/internal/journal"
)

// vmacs keeps the links that instances need of their own: VMACs and ipvlans, with
// the kernel's settings for them and the addresses that they have at all times. It
// makes them before the routers learn of a configuration, makes them again when
// somebody deletes them or when their base comes back, and takes them away at the
// end. It works apart from the loop that steps the routers.
type vmacs struct {
	table     host.LinkTable
	addresses host.AddressTable
	settings  *settings
	ledger    *host.Ledger
	journal   *journal.Journal
	// report is called after each pass.
	report func(carriersReport)

	wake chan struct{}

	mu    sync.Mutex
	want  []desired.Carrier
	vips  map[netip.Addr]bool
	links map[string]host.Link
	// made is what is, or may be, on the host through us, as in the record; index
	// is what each of the links was when it was last seen.
	made  []host.VirtualLink
	index map[string]int
	// own are the addresses that we put on the links, apart from virtual ones.
	own    []host.Address
	failed map[string]error
}

// carriersReport is what became of the links that are wanted.
type carriersReport struct {
	// failed are those that could not be made, and why.
	failed map[string]error
	// there are those that are on the host, by their indexes.
	there map[string]int
}

// remakeDelay is how long a link that goes may take to be gone.
const remakeDelay = 5 * time.Millisecond

func newVMACs(table host.LinkTable, addresses host.AddressTable, s *settings, l *host.Ledger, j *journal.Journal) *vmacs {
	return &vmacs{
		table: table, addresses: addresses, settings: s, ledger: l, journal: j,
		report: func(carriersReport) {},
		wake:   make(chan struct{}, 1),
		links:  map[string]host.Link{},
		index:  map[string]int{},
		made:   l.Contents().Links,
	}
}

// run makes right what events have shown to be wrong, until ctx is done.
func (v *vmacs) run(ctx context.Context) error {
	for {
		select {
		case <-v.wake:
			select {
			case <-time.After(remakeDelay):
				v.remake()
			case <-ctx.Done():
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// event follows the host's links; it never blocks for long.
func (v *vmacs) event(ev host.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	name := ""
	switch ev := ev.(type) {
	case host.LinkChanged:
		name = ev.Link.Name
		was, known := v.links[name]
		v.links[name] = ev.Link
		if known && was.Index == ev.Link.Index && was.Up == ev.Link.Up && slices.Equal(was.Addresses, ev.Link.Addresses) {
			return
		}
	case host.LinkGone:
		name = ev.Name
		delete(v.links, name)
	default:
		return
	}
	concerned := func(c desired.Carrier) bool { return c.Link.Name == name || c.Link.Parent == name }
	if slices.ContainsFunc(v.want, concerned) {
		select {
		case v.wake <- struct{}{}:
		default:
		}
	}
}

// place decides about the links of a configuration.
func (v *vmacs) place(cfg *config.Config) (desired.Placement, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	have, err := v.table.List()
	if err != nil {
		return desired.Placement{}, err
	}
	return desired.Place(cfg, have), nil
}

// provide makes the links that are new. What is no longer wanted stays until
// settle, apart from what is in the way.
func (v *vmacs) provide(p desired.Placement) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.want = p.Carriers
	v.quietGroups(p.Config.Global.NoLocalIGMP)
	v.vips = map[netip.Addr]bool{}
	for _, in := range p.Config.Instances {
		for _, a := range slices.Concat(in.Addresses, in.Excluded) {
			v.vips[a.Prefix.Addr()] = true
		}
	}
	if have, err := v.table.List(); err == nil {
		v.pass(have, newLinks)
	}
}

// settle removes what the last configuration does not want.
func (v *vmacs) settle() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if have, err := v.table.List(); err == nil {
		v.pass(have, allLinks)
	}
}

// remake makes everything as it should be.
func (v *vmacs) remake() { v.settle() }

// stop removes all links and puts the settings back.
func (v *vmacs) stop() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.want = nil
	have, err := v.table.List()
	if err != nil {
		return err
	}
	v.pass(have, allLinks)
	return v.settings.restore()
}

// quietGroups keeps the kernel from telling the segment by IGMP of groups that
// switches flood anyway (disable_local_igmp), where the configuration asks for it.
func (v *vmacs) quietGroups(on bool) {
	var want []host.Sysctl
	if on {
		want = []host.Sysctl{{Name: "net/ipv4/igmp_link_local_mcast_reports", Value: "0"}}
	}
	if err := v.settings.want("disable_local_igmp", want); err != nil {
		v.trouble(err)
	}
}

// names are the links that there are through us.
func (v *vmacs) names() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var out []string
	for _, l := range v.made {
		if l.Kind == host.Macvlan {
			out = append(out, l.Name)
		}
	}
	return out
}

// makes says whether a link of this name is one of ours.
func (v *vmacs) makes(name string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.ContainsFunc(v.want, func(c desired.Carrier) bool { return c.Link.Name == name })
}

// scope is which links a pass is about: with newLinks what is not wanted stays, unless
// it is in the way of what is.
type scope uint8

const (
	newLinks scope = iota
	allLinks
)

// pass makes the host have what is wanted: settings, links, addresses, in this
// order.
func (v *vmacs) pass(have []host.LinkState, s scope) {
	if len(v.want) == 0 && len(v.made) == 0 {
		return
	}
	failed := map[string]error{}
	var want []host.VirtualLink
	var carriers []desired.Carrier
	there := byName(have)
	for _, c := range v.want {
		if _, ok := there[c.Link.Parent]; !ok {
			failed[c.Link.Name] = fmt.Errorf("interface %s missing", c.Link.Parent)
			continue
		}
		if c.Clash != "" {
			failed[c.Link.Name] = fmt.Errorf("%s has the same hardware address on %s", c.Clash, c.Link.Parent)
			continue
		}
		want, carriers = append(want, c.Link), append(carriers, c)
	}
	// The settings are there before the first link, and as long as the last.
	if len(carriers) > 0 {
		v.set(carriers, have)
	} else {
		defer v.set(nil, nil)
	}
	changes := v.changes(have, there, want, s)
	if len(changes) > 0 {
		v.note(want)
		for _, err := range host.Failures(v.table.Apply(changes)) {
			if e, ok := errors.AsType[*host.LinkError](err); ok && e.Change.Op == host.Add {
				failed[e.Change.Link.Name] = e.Err
				continue
			}
			v.trouble(err)
		}
		v.tell(changes, there, failed)
		if now, err := v.table.List(); err == nil {
			have, there = now, byName(now)
		}
	}
	v.forget(there, want)
	v.address(carriers, there)
	for name, err := range failed {
		if old := v.failed[name]; old == nil || old.Error() != err.Error() {
			v.trouble(fmt.Errorf("interface %s: %w", name, err))
		}
	}
	v.failed = failed
	v.report(carriersReport{maps.Clone(failed), maps.Clone(v.index)})
}

func byName(have []host.LinkState) map[string]host.LinkState {
	out := make(map[string]host.LinkState, len(have))
	for _, h := range have {
		out[h.Name] = h
	}
	return out
}

func (v *vmacs) set(carriers []desired.Carrier, have []host.LinkState) {
	settings, filtering := desired.CarrierSettings(carriers, have)
	if err := v.settings.wantWithFilter("vmac", settings, filtering); err != nil {
		v.trouble(err)
	}
}

// changes are the steps of a pass.
func (v *vmacs) changes(have []host.LinkState, there map[string]host.LinkState, want []host.VirtualLink, s scope) []host.LinkChange {
	ours := slices.Clone(v.made)
	for _, h := range have {
		// A link of ours stays ours when its parent gets another name.
		if v.index[h.Name] == h.Index && h.Index != 0 {
			ours = append(ours, h.VirtualLink)
		}
	}
	changes := host.DiffLinks(have, want, ours)
	fresh := slices.DeleteFunc(slices.Clone(changes), func(c host.LinkChange) bool { return c.Op != host.Add })
	removed := map[string]bool{}
	return slices.DeleteFunc(changes, func(c host.LinkChange) bool {
		if c.Op == host.Remove {
			blocks := func(f host.LinkChange) bool {
				return f.Link.Name == c.Link.Name || f.Link.Kind == c.Link.Kind && f.Link.MAC == c.Link.MAC &&
					slices.Contains(host.Bases(f.Link, have), c.Link.Parent)
			}
			removed[c.Link.Name] = s == allLinks || slices.ContainsFunc(fresh, blocks)
			return !removed[c.Link.Name]
		}
		// Who sets a link of ours down wants it down.
		h, ok := there[c.Link.Name]
		return ok && !h.Up && !removed[h.Name] && v.index[h.Name] == h.Index
	})
}

// note writes the record before a batch: what there was, and what will be.
func (v *vmacs) note(want []host.VirtualLink) {
	for _, w := range want {
		if !slices.Contains(v.made, w) {
			v.made = append(v.made, w)
		}
	}
	v.ledger.Update(func(c *host.Contents) { c.Links = slices.Clone(v.made) })
}

// forget writes the record after a batch: what is on the host.
func (v *vmacs) forget(there map[string]host.LinkState, want []host.VirtualLink) {
	clear(v.index)
	v.made = slices.DeleteFunc(v.made, func(l host.VirtualLink) bool {
		h, ok := there[l.Name]
		// A link of the name with other properties replaced this one.
		replaced := slices.ContainsFunc(want, func(w host.VirtualLink) bool { return w.Name == l.Name && w != l })
		if ok && !replaced {
			v.index[l.Name] = h.Index
		}
		return !ok || replaced
	})
	v.ledger.Update(func(c *host.Contents) { c.Links = slices.Clone(v.made) })
}

// address gives the links the addresses that they have whatever the state: the
// parent's link-local one, from which adverts of IPv6 come, or that of an ipvlan.
func (v *vmacs) address(carriers []desired.Carrier, there map[string]host.LinkState) {
	var want []host.Address
	local := map[string]bool{}
	for _, c := range carriers {
		if _, ok := there[c.Link.Name]; !ok {
			continue
		}
		if c.Address.IsValid() {
			want = append(want, host.Address{Prefix: c.Address, Interface: c.Link.Name})
		}
		if !c.LinkLocal() {
			continue
		}
		local[c.Link.Name] = true
		if a, ok := host.LinkLocal(v.links[c.Link.Parent], c.Link.Name, func(a netip.Addr) bool { return v.vips[a] }); ok {
			want = append(want, a)
		}
	}
	old := slices.Clone(v.own)
	if len(local) > 0 {
		// An earlier run may have left one that is the parent's no longer.
		if owned, err := v.addresses.Owned(); err == nil {
			for _, a := range owned {
				if addr := a.Prefix.Addr(); local[a.Interface] && addr.IsLinkLocalUnicast() && !v.vips[addr] {
					old = append(old, a)
				}
			}
		}
	}
	if len(want)+len(old) == 0 {
		return
	}
	present, err := v.addresses.Present(slices.Concat(want, old))
	if err == nil {
		err = v.addresses.Apply(host.DiffAddresses(present, want))
	}
	if err != nil {
		v.trouble(err)
	}
	v.own = want
}

// tell writes into the journal what was made and removed, in keepalived's words.
func (v *vmacs) tell(changes []host.LinkChange, before map[string]host.LinkState, failed map[string]error) {
	owner := map[string]string{}
	for _, c := range v.want {
		owner[c.Link.Name] = c.Instance
	}
	for _, c := range changes {
		name := c.Link.Name
		_, was := before[name]
		what := "VMAC"
		if c.Link.Kind == host.Ipvlan {
			what = "ipvlan"
		}
		text := ""
		switch {
		case failed[name] != nil:
			continue
		case c.Op == host.Remove:
			delete(before, name)
			text = fmt.Sprintf("Success removing %s interface %s", what, name)
		case was:
			text = fmt.Sprintf("(%s) Found matching interface %s", owner[name], name)
		default:
			text = fmt.Sprintf("(%s): Success creating %s interface %s", owner[name], what, name)
		}
		v.journal.Add(journal.Event{Area: journal.VRRP, Kind: "vmac", Level: journal.Info, Subject: owner[name], Text: text})
	}
}

func (v *vmacs) trouble(err error) {
	v.journal.Add(journal.Event{Area: journal.VRRP, Kind: "vmac", Level: journal.Error, Text: err.Error()})
}

// carriedAddresses is a table of addresses of which some are on links of vmacs: a
// link that is missing is made again before its addresses.
type carriedAddresses struct {
	host.AddressTable
	vmacs *vmacs
}

// Apply implements host.AddressTable.
func (c carriedAddresses) Apply(changes []host.AddressChange) error {
	err := c.AddressTable.Apply(changes)
	var rest []error
	var again []host.AddressChange
	for _, err := range host.Failures(err) {
		e, ok := errors.AsType[*host.AddressError](err)
		if ok && e.Change.Op == host.AddAddress && errors.Is(err, unix.ENODEV) && c.vmacs.makes(e.Change.Address.Interface) {
			again = append(again, e.Change)
			continue
		}
		rest = append(rest, err)
	}
	if len(again) == 0 {
		return err
	}
	c.vmacs.remake()
	return errors.Join(append(rest, host.Failures(c.AddressTable.Apply(again))...)...)
}
