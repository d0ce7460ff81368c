package desired

import (
	"strings"
	"testing"

	"github.com/tandem-ha/tandem/config"
)

func TestFixed(t *testing.T) {
	name := "blue"
	for want, change := range map[string]func(*config.Config){
		"Cannot change net_namespace at a reload (none now, blue in the file)":      func(c *config.Config) { c.Process.NetNamespace = "blue" },
		"Cannot change net_namespace_ipvs at a reload (none now, blue in the file)": func(c *config.Config) { c.Process.NetNamespaceIPVS = &name },
		"Cannot change net_namespace_ipvs at a reload (none now, the default namespace in the file)": func(c *config.Config) {
			c.Process.NetNamespaceIPVS = new(string)
		},
		"Cannot change instance at a reload (none now, x in the file)":                func(c *config.Config) { c.Process.Instance = "x" },
		"Cannot change the nftables table at a reload (none now, t in the file)":      func(c *config.Config) { c.Global.Firewall.Table = "t" },
		"Cannot change the nftables_ipvs table at a reload (none now, t in the file)": func(c *config.Config) { c.Global.Firewall.IPVSTable = "t" },
		"Cannot change tmp_config_directory at a reload (none now, /d in the file)":   func(c *config.Config) { c.Global.Files.TemporaryFolder = "/d" },
		"Cannot change disable_local_igmp at a reload (off now, on in the file)":      func(c *config.Config) { c.Global.NoLocalIGMP = true },
	} {
		old, next := &config.Config{}, &config.Config{}
		change(next)
		got := Fixed(old, next)
		if len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("%q, want %q", got, want)
		}
		if got := Fixed(next, next); got != nil {
			t.Errorf("%q of no change", got)
		}
	}
}
