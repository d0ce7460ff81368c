package agent

import (
	"errors"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/ipvs"
)

// markTable is the table of the packet filter that marks packets for groups.
type markTable interface {
	Apply(marks []host.Mark) error
	Close() error
}

// marker keeps the marks of nftables_ipvs.
type marker struct {
	open func(options host.FirewallOptions) (markTable, error)

	table markTable
	// options are those of the table, groups the marks that groups have.
	options host.FirewallOptions
	groups  map[string]uint32
}

func newMarker() *marker {
	return &marker{open: func(o host.FirewallOptions) (markTable, error) { return host.NewMarks(o) }}
}

// inIPVS calls open in the network namespace whose IPVS is used.
func inIPVS(cfg *config.Config, open func() error) error {
	if name := cfg.Process.NetNamespaceIPVS; name != nil {
		return host.InNamespace(*name, open)
	}
	return open()
}

// openTable opens the kernel's table of IPVS.
func openTable(cfg *config.Config) (*ipvs.Client, error) {
	var table *ipvs.Client
	err := inIPVS(cfg, func() (err error) {
		table, err = ipvs.Open(ipvsTimeout)
		return err
	})
	return table, err
}

// apply has the packet filter mark what cfg wants marked and returns the services
// of the kernel's table. Where it cannot, which trouble is told, they are those
// of the configuration, each address of a group for itself.
func (m *marker) apply(cfg *config.Config, trouble func(error)) []*config.VirtualServer {
	services, marks, groups := desired.Marked(cfg, m.groups)
	f := cfg.Global.Firewall
	options := host.FirewallOptions{Table: f.IPVSTable, Priority: int32(f.IPVSPriority), Counters: f.Counters}
	if options != m.options {
		if err := m.remove(); err != nil {
			trouble(err)
		}
	}
	if f.IPVSTable == "" {
		return services
	}
	if err := inIPVS(cfg, func() error { return m.mark(options, marks) }); err != nil {
		trouble(err)
		return cfg.VirtualServers
	}
	m.groups = groups
	return services
}

func (m *marker) mark(options host.FirewallOptions, marks []desired.Mark) error {
	if m.table == nil {
		table, err := m.open(options)
		if err != nil {
			return err
		}
		m.table, m.options = table, options
	}
	list := make([]host.Mark, 0, len(marks))
	for _, k := range marks {
		list = append(list, host.Mark(k))
	}
	return m.table.Apply(list)
}

// remove takes the marks out of the packet filter.
func (m *marker) remove() error {
	if m.table == nil {
		return nil
	}
	err := errors.Join(m.table.Apply(nil), m.table.Close())
	m.table, m.options, m.groups = nil, host.FirewallOptions{}, nil
	return err
}

// markTrouble tells why packets are not marked.
func (b *balancer) markTrouble(err error) {
	b.journal.Add(journal.Event{Area: journal.Checks, Kind: "nftables-ipvs", Level: journal.Error,
		Text: "nftables_ipvs: " + err.Error() + "; each address of a group is a service of its own"})
}
