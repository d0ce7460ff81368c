//go:build kernel

package integration

import (
	"fmt"
	"testing"
)

// TestPairUnreachable checks servers that no packet can reach: the host's own routes
// refuse it, or nobody answers ARP. Each is down, also where silence would do.
func TestPairUnreachable(t *testing.T) {
	t.Parallel()
	const server = "  real_server %s 53 {\n    %s {\n      connect_timeout 5\n      retry 0\n      warmup 0\n    }\n  }\n"
	conf := "virtual_server 10.10.0.1 53 {\n  protocol UDP\n  delay_loop 1\n"
	servers := [][2]string{{"198.51.100.1", "TCP_CHECK"}, {"198.51.101.1", "TCP_CHECK"}, {"198.51.100.2", "UDP_CHECK"}, {"192.0.2.250", "UDP_CHECK"}}
	for _, s := range servers {
		conf += fmt.Sprintf(server, s[0], s[1])
	}
	l := newLab(t, "node")
	must(t, l.Host("node").IP("route add blackhole 198.51.100.0/24"))
	must(t, l.Host("node").IP("route add prohibit 198.51.101.0/24"))
	a := agent(t, l.Host("node"), "tandem", conf+"}\n")
	start(t, a)
	eventually(t, slack, "all servers down", func() error {
		s, err := tryStatus(a)
		if err != nil {
			return err
		}
		down := 0
		for _, vs := range s.Services {
			for _, rs := range vs.Servers {
				if !rs.Up {
					down++
				}
			}
		}
		if down != len(servers) {
			return fmt.Errorf("%d are", down)
		}
		return nil
	})
}
