package agent

import (
	"fmt"

	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/internal/journal"
)

// resized tells of the instances whose adverts a change of a link's MTU keeps from
// being sent, or lets through again: how many addresses they carry is settled when
// the configuration is read.
func (e *elector) resized(was, link host.Link) {
	for _, in := range e.index.byLink[link.Name] {
		if in.conf.Interface != link.Name {
			continue
		}
		n, room := len(in.conf.Addresses), in.conf.AdvertRoom(link.MTU)
		fits := n <= room
		if fits == (n <= in.conf.AdvertRoom(was.MTU)) {
			continue
		}
		ev := journal.Event{Area: journal.VRRP, Kind: "mtu", Level: journal.Notice, Subject: in.conf.Name,
			Text: fmt.Sprintf("(%s) adverts fit the MTU %d of %s", in.conf.Name, link.MTU, link.Name)}
		if !fits {
			ev.Level = journal.Error
			ev.Text = fmt.Sprintf("(%s) adverts with %d addresses do not fit the MTU %d of %s: %d would; a reload moves the others to the excluded ones",
				in.conf.Name, n, link.MTU, link.Name, room)
		}
		e.journal.Add(ev)
	}
}
