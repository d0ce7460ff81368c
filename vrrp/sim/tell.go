package sim

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/tandem-ha/tandem/vrrp"
)

// moment adds to the timeline.
func (w *world) moment(m Moment) {
	if w.options.Timeline {
		m.At = w.now
		w.result.Timeline = append(w.result.Timeline, m)
	}
}

// tell adds something said of a node, or of one of its routers.
func (w *world) tell(n *node, m *member, text string) {
	if !w.options.Timeline {
		return
	}
	out := Moment{Node: n.conf.Name, Text: text}
	if m != nil {
		out.Instance = m.conf.Name
	}
	w.moment(out)
}

// traceStep writes a step down, for whoever looks for its fault.
func (w *world) traceStep(mc *machine, in vrrp.GroupInput, out []vrrp.GroupOutput) {
	if _, quiet := in.Input.(vrrp.TimerFired); quiet && len(out) == 0 {
		return
	}
	who := in.Member
	if who == "" {
		who = "(all)"
	}
	w.tracef("%s %s <- %s", mc.node.conf.Name, who, inputText(in.Input))
	for _, o := range out {
		w.tracef("    %s %s -> %s", mc.node.conf.Name, o.Member, outputText(o.Output))
	}
}

func inputText(in vrrp.Input) string {
	if a, ok := in.(*vrrp.Advert); ok {
		return fmt.Sprintf("advert %d from %v", a.Packet.Priority, a.Source)
	}
	return fmt.Sprintf("%s %+v", strings.TrimPrefix(fmt.Sprintf("%T", in), "vrrp."), in)
}

func outputText(o vrrp.Output) string {
	switch o := o.(type) {
	case vrrp.SendAdvert:
		return fmt.Sprintf("advert %d", o.Packet.Priority)
	case vrrp.Acquire:
		return "acquire " + addrText(o.Addresses)
	case vrrp.Release:
		return "release " + addrText(o.Addresses)
	case vrrp.Announce:
		return fmt.Sprintf("announce %s x%d", addrText(o.Addresses), o.Rounds)
	case vrrp.StateChanged:
		return fmt.Sprintf("%v>%v %s: %s", o.From, o.To, o.Cause.Kind, o.Cause.Detail)
	default:
		return fmt.Sprintf("%s %+v", strings.TrimPrefix(fmt.Sprintf("%T", o), "vrrp."), o)
	}
}

func addrText(list []netip.Addr) string {
	var out []string
	for _, a := range list {
		out = append(out, a.String())
	}
	return strings.Join(out, ",")
}
