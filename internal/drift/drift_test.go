package drift

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-ha/tandem/config"
)

const node1 = `
global_defs {
  router_id lb1
}
vrrp_instance VI_1 {
  state MASTER
  interface eth0
  virtual_router_id 51
  priority 150
  unicast_src_ip 192.0.2.1
  unicast_peer {
    192.0.2.2
  }
  authentication {
    auth_type PASS
    auth_pass secret12
  }
  virtual_ipaddress {
    192.0.2.10
  }
}
virtual_server 192.0.2.10 80 {
  protocol TCP
  real_server 10.0.0.1 80 {
    TCP_CHECK {
      bindto 192.0.2.1
    }
  }
}
@tandem tandem {
@tandem   web {
@tandem     listen 192.0.2.1:8080
@tandem   }
@tandem }
`

// node2 is the peer of node1, alike but for what has to differ.
func node2() string {
	return strings.NewReplacer("lb1", "lb2", "state MASTER", "state BACKUP", "priority 150", "priority 100",
		"192.0.2.1\n", "192.0.2.2\n", "192.0.2.2\n", "192.0.2.1\n", "192.0.2.1:8080", "192.0.2.2:8080").Replace(node1)
}

func shared(t *testing.T, text string) json.RawMessage {
	t.Helper()
	c, diagnostics := config.Parse("test.conf", []byte(text), config.Options{})
	if !config.Runnable(diagnostics) {
		t.Fatal(diagnostics)
	}
	b, err := Shared(c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBetween(t *testing.T) {
	for _, c := range []struct {
		name string
		edit []string
		want []string
	}{
		{name: "what has to differ"},
		{name: "an address", edit: []string{"192.0.2.10\n  }", "192.0.2.11\n  }"}, want: []string{
			"instances[VI_1].addresses[192.0.2.10/32]: {} here, nothing there",
			"instances[VI_1].addresses[192.0.2.11/32]: nothing here, {} there",
		}},
		{name: "a password", edit: []string{"secret12", "another1"}, want: []string{"instances[VI_1].auth_pass: secret 1 here, secret 2 there"}},
		{name: "a server", edit: []string{"real_server 10.0.0.1 80 {", "real_server 10.0.0.1 80 {\n    weight 3"},
			want: []string{"virtual_servers[[192.0.2.10]:tcp:80].real_servers[10.0.0.1:80].weight: 1 here, 3 there"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			peer := node2()
			if c.edit != nil {
				if !strings.Contains(peer, c.edit[0]) {
					t.Fatalf("there is no %q in\n%s", c.edit[0], peer)
				}
				peer = strings.Replace(peer, c.edit[0], c.edit[1], 1)
			}
			var got []string
			marks := 0
			for _, d := range Between(shared(t, node1), shared(t, peer)) {
				for _, v := range []*string{&d.Was, &d.Is} {
					if strings.HasPrefix(*v, "{") {
						*v = "{}"
					}
					if strings.HasPrefix(*v, "secret ") {
						marks++
						*v = "secret " + string(rune('0'+marks))
					}
				}
				got = append(got, Line(d))
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("drift (-want +got):\n%s", d)
			}
		})
	}
}

// TestSecretsStay on their node.
func TestSecretsStay(t *testing.T) {
	if b := shared(t, node1); strings.Contains(string(b), "secret12") {
		t.Errorf("a peer is shown the password: %s", b)
	}
	if _, err := Shared(nil); err == nil {
		t.Error("no configuration is shown as one")
	}
}
