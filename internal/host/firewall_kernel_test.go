//go:build kernel

package host

import (
	"errors"
	"strings"
	"testing"
)

// A kernel either has nf_tables, or says that it does not in words that help.
func TestKernelFirewallOrReason(t *testing.T) {
	n := newNS(t)
	n.do(func() error {
		f, err := NewFirewall(FirewallOptions{Table: "keepalived"})
		if err == nil {
			return errors.Join(f.Apply(FirewallRules{Quiet: []string{"vrrp.51"}}), f.Remove(), f.Close())
		}
		if !errors.Is(err, ErrNoFirewall) || !strings.Contains(err.Error(), "nf_tables") {
			return err
		}
		return nil
	})
}
