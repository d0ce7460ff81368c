package desired

import (
	"fmt"

	"github.com/tandem-ha/tandem/config"
)

// Fixed names what a reload would have to change and cannot: what keepalived
// asks for a restart for. A reload that is refused for one of them changes
// nothing at all.
func Fixed(old, next *config.Config) []string {
	var out []string
	differ := func(what, a, b string) {
		if a != b {
			out = append(out, fmt.Sprintf("Cannot change %s at a reload (%s now, %s in the file) - please restart tandem", what, said(a), said(b)))
		}
	}
	o, n := old.Process, next.Process
	differ("net_namespace", o.NetNamespace, n.NetNamespace)
	differ("net_namespace_ipvs", namespaceOf(o.NetNamespaceIPVS), namespaceOf(n.NetNamespaceIPVS))
	differ("instance", o.Instance, n.Instance)
	differ("the nftables table", old.Global.Firewall.Table, next.Global.Firewall.Table)
	differ("the nftables_ipvs table", old.Global.Firewall.IPVSTable, next.Global.Firewall.IPVSTable)
	differ("tmp_config_directory", old.Global.Files.TemporaryFolder, next.Global.Files.TemporaryFolder)
	differ("disable_local_igmp", onOff(old.Global.NoLocalIGMP), onOff(next.Global.NoLocalIGMP))
	return out
}

func said(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// namespaceOf tells a namespace for IPVS that is the default one from none given.
func namespaceOf(s *string) string {
	switch {
	case s == nil:
		return ""
	case *s == "":
		return "the default namespace"
	}
	return *s
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
