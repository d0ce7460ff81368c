package rehearse

import (
	"strings"
	"testing"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/vrrp/sim"
)

func read(t *testing.T, name, body string) Node {
	t.Helper()
	cfg, ds := config.Parse(name+".conf", []byte(body), config.Options{ID: name})
	if !config.Runnable(ds) {
		t.Fatalf("%s: %+v", name, ds)
	}
	return Node{Name: name, Config: cfg}
}

func instance(name, vrid, more string) string {
	return "vrrp_instance " + name + " {\n interface eth0\n virtual_router_id " + vrid + "\n virtual_ipaddress { 198.51.100." + vrid + " }\n " + more + "\n}\n"
}

// sources lists where adverts come from and go to, node by node.
func sources(nodes []sim.Node) string {
	var out []string
	for _, n := range nodes {
		for _, g := range n.Groups {
			for _, m := range g.Members {
				text := n.Name + "/" + g.Name + "/" + m.Config.Name + "/" + m.Network + " " + m.Source.String()
				for _, p := range m.Config.Peers {
					text += " >" + p.Addr.String()
				}
				out = append(out, text)
			}
		}
	}
	return strings.Join(out, "; ")
}

// TestNodes makes nodes of files.
func TestNodes(t *testing.T) {
	for _, c := range []struct {
		name  string
		nodes []Node
		want  string
		notes string
	}{
		{"addresses are made up", []Node{read(t, "a", instance("VI_1", "1", "")), read(t, "b", instance("VI_1", "1", ""))},
			"a//VI_1/ 192.0.2.1; b//VI_1/ 192.0.2.2", "addresses that adverts come from are made up"},
		{"or configured", []Node{read(t, "a", instance("VI_1", "1", "mcast_src_ip 10.0.0.9")), read(t, "b", instance("VI_1", "1", "mcast_src_ip 10.0.0.1"))},
			"a//VI_1/ 10.0.0.9; b//VI_1/ 10.0.0.1", ""},
		{"or what the others send to", []Node{
			read(t, "a", instance("VI_1", "1", "unicast_peer {\n10.0.0.2\n10.0.0.3\n}")),
			read(t, "b", instance("VI_1", "1", "unicast_peer {\n10.0.0.1\n10.0.0.3\n}")),
			read(t, "c", instance("VI_1", "1", "unicast_peer {\n10.0.0.1\n10.0.0.2\n}")),
		}, "a//VI_1/ 10.0.0.1 >10.0.0.2 >10.0.0.3; b//VI_1/ 10.0.0.2 >10.0.0.1 >10.0.0.3; c//VI_1/ 10.0.0.3 >10.0.0.1 >10.0.0.2", ""},
		{"one file for two", []Node{read(t, "a", instance("VI_1", "1", "unicast_src_ip 10.0.0.1\nunicast_peer {\n10.0.0.2\n}")), read(t, "b", instance("VI_1", "1", "unicast_src_ip 10.0.0.1\nunicast_peer {\n10.0.0.2\n}"))},
			"a//VI_1/ 192.0.2.1 >192.0.2.2; b//VI_1/ 192.0.2.2 >192.0.2.1", "each other's unicast peers"},
		{"a peer that is none", []Node{
			read(t, "a", instance("VI_1", "1", "unicast_src_ip 10.0.0.1\nunicast_peer {\n10.0.0.9\n}")),
			read(t, "b", instance("VI_1", "1", "unicast_src_ip 10.0.0.2\nunicast_peer {\n10.0.0.1\n}")),
		}, "a//VI_1/ 10.0.0.1 >10.0.0.9; b//VI_1/ 10.0.0.2 >10.0.0.1", "VI_1 of a sends to none of the other nodes"},
		{"peers that are found", []Node{read(t, "a", instance("VI_1", "1", "unicast_peers_from {\nfile /x\n}")), read(t, "b", instance("VI_1", "1", "unicast_peers_from {\nfile /x\n}"))},
			"a//VI_1/ 192.0.2.1 >192.0.2.2; b//VI_1/ 192.0.2.2 >192.0.2.1", "each other's unicast peers"},
		{"sync groups", []Node{read(t, "a", "vrrp_sync_group G {\n group {\n VI_2\n VI_1\n }\n}\n"+instance("VI_1", "1", "")+instance("VI_2", "2", "")+instance("VI_3", "3", ""))},
			"a/G/VI_1/ 192.0.2.1; a/G/VI_2/ 192.0.2.1; a//VI_3/ 192.0.2.1", "made up"},
		{"one number on two networks", []Node{read(t, "a", instance("VI_1", "1", "")+strings.Replace(instance("VI_2", "1", ""), "eth0", "eth1", 1))},
			"a//VI_1/eth0 192.0.2.1; a//VI_2/eth1 192.0.2.1", "made up"},
	} {
		t.Run(c.name, func(t *testing.T) {
			nodes, notes, err := Nodes(c.nodes)
			if err != nil {
				t.Fatal(err)
			}
			if got := sources(nodes); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if text := strings.Join(notes, ". "); !strings.Contains(text, c.notes) || c.notes == "" && text != "" {
				t.Errorf("notes %q, want %q", text, c.notes)
			}
		})
	}
	if _, _, err := Nodes([]Node{{Name: "a", Config: &config.Config{}}}); err == nil || !strings.Contains(err.Error(), "a has no vrrp_instance") {
		t.Errorf("%v", err)
	}
}
