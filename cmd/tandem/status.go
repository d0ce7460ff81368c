package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/wording"
	"github.com/tandem-ha/tandem/vrrp"
)

// statusLimit is how long the command waits for the agent.
const statusLimit = 10 * time.Second

func setupStatus(f *flag.FlagSet) func(*call) int {
	out := addFormat(f)
	watch := f.Bool("watch", false, "show it again each second, until an interrupt")
	return func(c *call) int {
		look := func(ctx context.Context) ([]byte, error) {
			s, err := c.status(ctx)
			if err != nil {
				return nil, err
			}
			return c.statusAs(s, *out)
		}
		if *watch {
			return c.watch(look)
		}
		text, err := look(context.Background())
		switch {
		case err != nil:
			return c.unreachable(err)
		case *out == formatJSON:
			_, err = c.stdout.Write(text)
		default:
			err = c.show(text)
		}
		if err != nil {
			return c.fail(err)
		}
		return exitOK
	}
}

// status asks for the status, of what the arguments name where they do.
func (c *call) status(ctx context.Context) (control.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, statusLimit)
	defer cancel()
	s, err := c.client(c.places).Status(ctx)
	if err != nil || len(c.args) == 0 {
		return s, err
	}
	return choose(s, c.args)
}

// statusAs is a status in a format.
func (c *call) statusAs(s control.Status, out format) ([]byte, error) {
	if out != formatJSON {
		return statusText(s, c.now()), nil
	}
	b, err := json.MarshalIndent(s, "", "  ")
	return append(b, '\n'), err
}

// choose keeps the instances and virtual servers that are named, with what stands
// about them.
func choose(s control.Status, names []string) (control.Status, error) {
	var instances []control.InstanceStatus
	var services []control.ServiceStatus
	var all []string
	found := map[string]bool{}
	for _, i := range s.Instances {
		all = append(all, i.Name)
		if slices.Contains(names, i.Name) {
			instances, found[i.Name] = append(instances, i), true
		}
	}
	for _, v := range s.Services {
		all = append(all, v.Name)
		for _, n := range names {
			if strings.EqualFold(n, v.Name) || n == serviceAddress(v) {
				services, found[n] = append(services, v), true
			}
		}
	}
	for _, n := range names {
		if !found[n] {
			return s, fmt.Errorf("no instance and no virtual server %q%s; configured: %s", n, didYouMean(n, all, ""), cell(strings.Join(all, ", ")))
		}
	}
	s.Instances, s.Services = instances, services
	s.Groups = slices.DeleteFunc(s.Groups, func(g control.GroupStatus) bool {
		return !slices.ContainsFunc(instances, func(i control.InstanceStatus) bool { return slices.Contains(g.Members, i.Name) })
	})
	s.Scripts, s.Foreign, s.Dormant = nil, nil, nil
	return s, nil
}

// serviceAddress is a virtual server as people write it.
func serviceAddress(v control.ServiceStatus) string {
	return netip.AddrPortFrom(v.Key.Addr, v.Key.Port).String()
}

// statusText is the status for people at the moment now.
func statusText(s control.Status, now time.Time) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "tandem %s, process %d, up %s, router %s\n", s.Version, s.PID, wording.Age(now, s.Started), cell(s.RouterID))
	if s.ConfigLoaded.IsZero() {
		fmt.Fprintf(&b, "configuration %s, not yet in force: the agent is starting\n", s.ConfigFile)
		return b.Bytes()
	}
	fmt.Fprintf(&b, "configuration %s, loaded %s ago\n", s.ConfigFile, wording.Age(now, s.ConfigLoaded))
	if line := punctuality(s.Timekeeping, now); line != "" {
		fmt.Fprintf(&b, "%s\n", line)
	}
	if list := wording.Attention(s, now); len(list) > 0 {
		b.WriteString("\nATTENTION\n")
		for _, line := range list {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	sections := []table{instanceTable(s, now), groupTable(s), scriptTable(s, now), fileTable(s, now), processTable(s, now), bfdTable(s, now), foreignTable(s)}
	for _, v := range s.Services {
		sections = append(sections, serviceTable(v, now))
	}
	for _, t := range sections {
		if len(t.rows) > 0 {
			b.WriteByte('\n')
			// A bytes.Buffer takes everything.
			_ = t.write(&b, "")
		}
	}
	if len(s.Instances) == 0 && len(s.Services) == 0 {
		b.WriteString("\nNeither an instance nor a virtual server is configured.\n")
	}
	return b.Bytes()
}

// punctuality is the line that tells how late timers were, empty where none was
// later than it may be.
func punctuality(k *control.Timekeeping, now time.Time) string {
	if k == nil || k.Late == 0 {
		return ""
	}
	return fmt.Sprintf("timers: %d of %d served more than %v late, the worst by %v, the last %s ago by %v",
		k.Late, k.Timers, k.Limit, k.Worst.Round(time.Millisecond), wording.Age(now, k.LastAt), k.Last.Round(time.Millisecond))
}

func instanceTable(s control.Status, now time.Time) table {
	var t table
	for n, i := range s.Instances {
		if n == 0 {
			t.row("INSTANCE", "STATE", "SINCE", "PRIORITY", "INTERFACE", "VRID", "MASTER")
		}
		t.row(i.Name, i.StateName, wording.Age(now, i.Since), priorityText(i), i.Interface,
			fmt.Sprintf("%d (v%d)", i.VRID, i.Version), masterText(i, now))
		if i.Cause.Detail != "" {
			t.note("why: " + i.Cause.Detail)
		} else if i.Cause.Kind != "" {
			t.note("why: " + string(i.Cause.Kind))
		}
		t.note("VIPs: " + addressText(i))
		if i.SyncGroup != "" {
			t.note("sync group: " + i.SyncGroup)
		}
		if len(i.Tracks) > 0 {
			t.note("tracks: " + tracksText(i.Tracks))
		}
	}
	return t
}

// priorityText is the effective priority, with the configured one where they
// differ.
func priorityText(i control.InstanceStatus) string {
	if int(i.Priority) == i.BasePriority {
		return fmt.Sprint(i.Priority)
	}
	return fmt.Sprintf("%d (base %d)", i.Priority, i.BasePriority)
}

// masterText says who is master as far as the instance knows.
func masterText(i control.InstanceStatus, now time.Time) string {
	switch {
	case i.State == vrrp.Master:
		return "this node"
	case !i.Master.IsValid():
		return "none heard"
	}
	text := fmt.Sprintf("%s priority %d", i.Master, i.MasterPriority)
	if !i.LastAdvert.IsZero() {
		text += fmt.Sprintf(", heard %s ago", wording.Age(now, i.LastAdvert))
	}
	return text
}

// shownAddresses is how many addresses are listed before the rest is counted.
const shownAddresses = 6

// addressText lists the addresses and says how many of them are held.
func addressText(i control.InstanceStatus) string {
	all := slices.Concat(i.Addresses, i.Excluded)
	if len(all) == 0 {
		return "none"
	}
	held := 0
	for _, a := range all {
		if slices.Contains(i.Held, a.Addr()) {
			held++
		}
	}
	var names []string
	for _, a := range all[:min(len(all), shownAddresses)] {
		names = append(names, prefixText(a))
	}
	text := strings.Join(names, ", ")
	if more := len(all) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	switch held {
	case 0:
		return text + " (not held)"
	case len(all):
		return text + " (held)"
	}
	return fmt.Sprintf("%s (%d of %d held)", text, held, len(all))
}

// prefixText leaves the length of a single address out.
func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func groupTable(s control.Status) table {
	var t table
	for n, g := range s.Groups {
		if n == 0 {
			t.row("SYNC GROUP", "STATE", "MEMBERS")
		}
		t.row(g.Name, g.State.String(), strings.Join(g.Members, ", "))
	}
	return t
}

func scriptTable(s control.Status, now time.Time) table {
	var t table
	for n, r := range s.Scripts {
		if n == 0 {
			t.row("SCRIPT", "STATE", "SINCE", "LAST RUN")
		}
		t.row(r.Name, r.State, wording.Age(now, r.Since), r.Last)
	}
	return t
}

func foreignTable(s control.Status) table {
	var t table
	for n, f := range s.Foreign {
		if n == 0 {
			t.row("FOREIGN ADVERTS ON", "WHY NOT OURS", "COUNT")
		}
		t.row(f.Interface, string(f.Reason), fmt.Sprint(f.Count))
	}
	return t
}

func serviceTable(v control.ServiceStatus, now time.Time) table {
	var t table
	quorum := "up"
	if !v.QuorumUp {
		quorum = "DOWN"
	}
	t.row("VIRTUAL SERVER "+v.Name, v.Scheduler, fmt.Sprintf("quorum %s: live weight %d of %d", quorum, v.LiveWeight, v.Quorum))
	if len(v.Servers) == 0 {
		t.note("no real server")
		return t
	}
	// The servers are a table of their own below the heading, so that a long
	// name of the virtual server does not push their columns apart.
	var rows table
	rows.row("REAL SERVER", "STATE", "WEIGHT", "IN IPVS", "SINCE", "LAST CHECK")
	for _, r := range v.Servers {
		rows.row(netip.AddrPortFrom(r.Addr, r.Port).String(), serverState(v, r), wording.Weight(v, r), inPool(r), wording.Age(now, r.Since), checkText(r.Checks, now))
	}
	var b strings.Builder
	_ = rows.write(&b, "")
	for line := range strings.Lines(b.String()) {
		t.note(strings.TrimRight(line, "\n"))
	}
	return t
}

func serverState(v control.ServiceStatus, r health.ServerStatus) string {
	switch {
	case r.Sorry:
		return "sorry server"
	case r.Up && wording.Ordered(v, r).Drain != nil:
		return "drained"
	case r.Up:
		return "up"
	}
	return "DOWN"
}

func inPool(r health.ServerStatus) string {
	if r.InPool {
		return "yes"
	}
	return "no"
}

// checkText tells of the check that matters most: one that fails, else the
// last one.
func checkText(checks []health.CheckStatus, now time.Time) string {
	if len(checks) == 0 {
		return "not checked"
	}
	at := slices.IndexFunc(checks, func(c health.CheckStatus) bool { return c.State != "up" || c.Paused })
	if at < 0 {
		at = len(checks) - 1
	}
	c := checks[at]
	text := c.Kind + " " + c.State
	if c.Paused {
		text += ", paused"
	}
	if c.Err != "" {
		text += ": " + c.Err
	}
	if !c.Last.IsZero() {
		text += fmt.Sprintf(" (%s ago, took %s)", wording.Age(now, c.Last), precise(c.Took))
	}
	if len(checks) > 1 {
		text += fmt.Sprintf(" [%d checks]", len(checks))
	}
	return text
}
