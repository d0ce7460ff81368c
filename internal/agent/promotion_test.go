package agent

import (
	"testing"

	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/internal/host/hosttest"
)

func TestPromotionIsMadeAgainForALinkThatCameBackAndEnds(t *testing.T) {
	record, err := host.OpenRecord(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer record.Close()
	trouble := func(err error) { t.Error(err) }
	const name = "net/ipv4/conf/eth0/promote_secondaries"
	table := hosttest.NewSysctls(map[string]string{name: "0"})
	value := func() string {
		have, err := table.Read([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		return have[name]
	}
	p := newPromotion(newSettings(table, host.NewLedger(record, host.Contents{}, trouble)), trouble)
	p.event(host.LinkChanged{Link: host.Link{Name: "eth0", Index: 2}})
	p.set([]string{"eth0"})
	if value() != "1" {
		t.Fatal("not set")
	}
	if err := table.Write([]host.Sysctl{{Name: name, Value: "0"}}); err != nil {
		t.Fatal(err)
	}
	p.event(host.LinkChanged{Link: host.Link{Name: "eth0", Index: 3}})
	if value() != "1" {
		t.Fatal("not set for the link that was made anew")
	}
	// A process that comes after a crash puts back what the record says.
	left, err := record.Load()
	if err != nil || len(left.Sysctls) != 1 {
		t.Fatalf("the record has %+v (%v)", left.Sysctls, err)
	}
	newPromotion(newSettings(table, host.NewLedger(record, left, trouble)), trouble).set(nil)
	if value() != "0" {
		t.Fatal("not put back")
	}
}
