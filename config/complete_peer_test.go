package config

import (
	"os"
	"path/filepath"
	"testing"
)

// unicast_fault_no_peer counts where unicast is asked for and has no peer, and
// nowhere else.
func TestFaultWithoutPeer(t *testing.T) {
	for lines, want := range map[string]bool{
		"unicast_fault_no_peer\nunicast_src_ip 192.0.2.1":                               true,
		"unicast_fault_no_peer\nunicast_src_ip 192.0.2.1\nunicast_peer {\n192.0.2.2\n}": false,
		"unicast_fault_no_peer":    false,
		"unicast_src_ip 192.0.2.1": false,
	} {
		path := filepath.Join(t.TempDir(), "keepalived.conf")
		text := "global_defs {\ndynamic_interfaces\n}\nvrrp_instance A {\ninterface eth9\nvirtual_router_id 7\n" + lines + "\nvirtual_ipaddress {\n192.0.2.9\n}\n}\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, _ := new(Reader).Load(path, Options{})
		if len(cfg.Instances) != 1 || cfg.Instances[0].FaultWithoutPeer != want {
			t.Errorf("%q: instances %+v", lines, cfg.Instances)
		}
	}
}
