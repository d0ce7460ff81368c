package agent

import (
	"fmt"

	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/vrrp"
)

// describe turns what an instance's router put out into the event that tells of
// it, in keepalived's wording where keepalived has one. The second result is
// false for outputs that are no news by themselves.
func describe(in *instance, out vrrp.Output) (journal.Event, bool) {
	name := in.conf.Name
	e := journal.Event{Area: journal.VRRP, Subject: name, Level: journal.Info}
	switch o := out.(type) {
	case vrrp.StateChanged:
		e.Kind, e.Level = "state", journal.Notice
		e.Text, e.Cause = fmt.Sprintf("(%s) %s", name, entering(o)), o.Cause.Detail
		e.Data = change(journal.Instance, name, in.end, o)
	case vrrp.PriorityChanged:
		e.Kind = "priority"
		e.Data = journal.PriorityChange{Name: name, From: int(o.From), To: int(o.To),
			State: in.router.Status().State.String(), Cause: o.Cause}
		e.Text = fmt.Sprintf("(%s) Changing effective priority from %d to %d", name, o.From, o.To)
		e.Cause = o.Cause
	case vrrp.SendAdvert:
		if o.Packet.Priority != 0 {
			return e, false
		}
		e.Kind, e.Text = "priority-0-sent", fmt.Sprintf("(%s) sent 0 priority", name)
	case vrrp.Noticed:
		e.Kind, e.Level = string(o.Kind), noticeLevel(o.Kind)
		e.Text = fmt.Sprintf("(%s) %s", name, o.Detail)
		if o.Kind == vrrp.NoticeLowerPriority && in.router.Status().State == vrrp.Master {
			e.Data = journal.LowerPriority{Name: name, Priority: int(in.router.Status().Priority), Peer: o.Peer.String()}
		}
	case vrrp.CommandDone:
		e.Kind, e.Level = "command", journal.Notice
		e.Text = fmt.Sprintf("(%s) %s taken up", name, o.Kind)
		if o.Err != "" {
			e.Text = fmt.Sprintf("(%s) %s refused: %s", name, o.Kind, o.Err)
		}
	case vrrp.Announce:
		e.Kind, e.Level = "announce", journal.Debug
		what, addresses := "gratuitous ARPs", "addresses"
		if o.Addresses[0].Is6() {
			what = "Unsolicited Neighbour Adverts"
		}
		if len(o.Addresses) == 1 {
			addresses = "address"
		}
		e.Text = fmt.Sprintf("(%s) Sending/queueing %s for %d %s, %d rounds", name, what, len(o.Addresses), addresses, o.Rounds)
	case vrrp.Dropped:
		e.Kind, e.Level = "advert-dropped", journal.Warning
		e.Text = fmt.Sprintf("(%s) ignoring advert from %s: %s", name, o.Source, o.Reason)
		if o.Detail != "" {
			e.Text += " (" + o.Detail + ")"
		}
	default:
		return e, false
	}
	return e, true
}

// change is what scripts and metrics make of a state; end is the word for the
// last one, since a stop and a removal are told apart.
func change(kind, name, end string, o vrrp.StateChanged) journal.StateChange {
	c := journal.StateChange{Kind: kind, Name: name, From: o.From.String(), To: o.To.String(),
		Priority: int(o.Priority), Cause: o.Cause.Detail}
	if o.From == vrrp.Init {
		c.From = ""
	}
	if o.To == vrrp.Init {
		c.To = end
	}
	return c
}

func entering(o vrrp.StateChanged) string {
	first := ""
	if o.From == vrrp.Init {
		first = " (init)"
	}
	switch o.To {
	case vrrp.Master:
		return "Entering MASTER STATE"
	case vrrp.Init:
		return "Stopped"
	default:
		return fmt.Sprintf("Entering %s STATE%s", o.To, first)
	}
}

func noticeLevel(k vrrp.NoticeKind) journal.Level {
	switch k {
	case vrrp.NoticeAddressLost, vrrp.NoticeRolledBack, vrrp.NoticeAddressList, vrrp.NoticeInterval, vrrp.NoticeOwnAdvert,
		vrrp.NoticeIneligible, vrrp.NoticeWithheld, vrrp.NoticeDamped:
		return journal.Warning
	default:
		return journal.Notice
	}
}
