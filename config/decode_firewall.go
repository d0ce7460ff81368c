package config

// firewallIPTables takes "[INCHAIN [OUTCHAIN]]".
func firewallIPTables(d *decoder, n *node) {
	f := &d.cfg.Global.Firewall
	f.IPTables, f.In, f.Out = true, "INPUT", "OUTPUT"
	if len(n.Words) > 1 {
		f.In, f.Out = d.chain(n.Words[1]), ""
	}
	if len(n.Words) > 2 {
		f.Out = d.chain(n.Words[2])
	}
	if len(n.Words) > 3 {
		d.warn("extra-words", words(n, 3), "", "vrrp_iptables takes two names")
	}
}

// chain reads the name of an iptables chain.
func (d *decoder) chain(w token) string {
	const most = 28
	if len(w.Value) > most {
		d.fail("invalid-value", of(w), "", "the name of a chain has at most %d bytes", most)
		return ""
	}
	return w.Value
}

// firewallIPSets takes up to six names of ipsets.
func firewallIPSets(d *decoder, n *node) {
	const sets, most = 6, 31
	f := &d.cfg.Global.Firewall
	f.NoIPSets = len(n.Words) == 1
	if len(n.Words) > sets+1 {
		d.warn("extra-words", words(n, sets+1), "", "vrrp_ipsets takes %d names", sets)
	}
	for i, w := range n.Words[1:] {
		if i >= sets {
			break
		}
		if len(w.Value) > most {
			d.fail("invalid-value", of(w), "", "the name of an ipset has at most %d bytes", most)
			return
		}
		f.IPSets = append(f.IPSets, w.Value)
	}
}

func firewallTable(d *decoder, n *node) {
	f := &d.cfg.Global.Firewall
	name, ok := d.tableName(n, "keepalived")
	if !ok {
		return
	}
	f.Table, f.TablePriority = name, -1
}

func firewallIPVSTable(d *decoder, n *node) {
	f := &d.cfg.Global.Firewall
	name, ok := d.tableName(n, "keepalived_ipvs")
	if !ok {
		return
	}
	f.IPVSTable, f.IPVSPriority = name, -1
	if f.IPVSMark == 0 {
		f.IPVSMark = 1000
	}
}

// tableName is the name of an nftables table, standard where the statement has
// none; false where it has an empty one and does not count.
func (d *decoder) tableName(n *node, standard string) (string, bool) {
	if len(n.Words) < 2 {
		return standard, true
	}
	name := n.Words[1].Value
	if name == "" {
		d.fail("invalid-value", of(n.Words[1]), "", "the name of the table is empty; %s does not count", n.name())
	}
	return name, name != ""
}
