package web

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/internal/wording"
	"github.com/tandem-ha/tandem/ipvs"
	"github.com/tandem-ha/tandem/vrrp"
)

// The kinds of words on the page; the style gives them their colours.
const (
	good = "good"
	bad  = "bad"
	warn = "warn"
	calm = "calm"
	soft = "soft"
)

// view is what the page shows, in words.
type view struct {
	Title, Router, Version, Now, Up, ConfigFile, Loaded string

	Attention []string
	Instances []instanceView
	Scripts   []scriptView
	Services  []serviceView
	Events    []eventView
	// Commands is whether who looks may command.
	Commands bool
}

type instanceView struct {
	Name, State, Kind, Since, Age, Why, Priority, On, Master, Group string

	Addresses []addressView
	Overrides []string
	Faults    []string
	Buttons   []button
}

type addressView struct {
	Prefix string
	Held   bool
}

// button is an order that makes sense for an instance as it is.
type button struct {
	Command         vrrp.CommandKind
	Instance, Label string
}

type scriptView struct{ Name, State, Kind, Last string }

type serviceView struct {
	Name, Scheduler, Quorum, Kind, Rate string

	Servers []serverView
}

type serverView struct {
	Addr, State, Kind, Weight, Active, Inactive, Rate string

	Checks []checkView
}

type checkView struct{ ID, Name, State, Kind, When, Err, Transcript string }

type eventView struct{ At, Text, Cause, Kind string }

// newView puts an agent's state at a moment into words.
func newView(s control.Status, usage []ipvs.ServiceUsage, events []journal.Event, now time.Time) view {
	v := view{
		Title: "tandem", Router: s.RouterID, Version: s.Version, Now: now.Format(time.DateTime),
		Up: wording.Age(now, s.Started), ConfigFile: s.ConfigFile,
	}
	if v.Router == "" {
		v.Router = "this node"
	}
	v.Title += " on " + v.Router
	if !s.ConfigLoaded.IsZero() {
		v.Loaded = wording.Age(now, s.ConfigLoaded)
	}
	v.Attention = wording.Attention(s, now)
	for _, i := range s.Instances {
		v.Instances = append(v.Instances, viewInstance(i, now))
	}
	for _, c := range s.Scripts {
		v.Scripts = append(v.Scripts, scriptView{Name: c.Name, State: c.State, Kind: stateKind(c.State), Last: c.Last})
	}
	used := map[ipvs.ServiceKey]ipvs.ServiceUsage{}
	for _, u := range usage {
		used[u.ServiceKey] = u
	}
	for n, service := range s.Services {
		v.Services = append(v.Services, viewService(n, service, used[service.Key], now))
	}
	for _, e := range slices.Backward(events) {
		v.Events = append(v.Events, eventView{At: e.Time.Format(time.DateTime), Text: e.Text, Cause: e.Cause, Kind: levelKind(e.Level)})
	}
	return v
}

func viewInstance(i control.InstanceStatus, now time.Time) instanceView {
	v := instanceView{
		Name: i.Name, State: i.StateName, Kind: calm, Since: i.Since.Format(time.DateTime), Age: wording.Age(now, i.Since),
		Why: i.Cause.Detail, Priority: strconv.Itoa(int(i.Priority)), Group: i.SyncGroup, Faults: i.Faults,
		On: fmt.Sprintf("%s, VRID %d, version %d, every %s", i.Interface, i.VRID, i.Version, i.Interval),
	}
	switch i.State {
	case vrrp.Master:
		v.Kind, v.Master = good, "this node"
	case vrrp.Failed:
		v.Kind = bad
	}
	if int(i.Priority) != i.BasePriority {
		v.Priority += fmt.Sprintf(" (configured: %d)", i.BasePriority)
	}
	if i.State != vrrp.Master && i.Master.IsValid() {
		v.Master = fmt.Sprintf("%s, priority %d, last heard %s ago", i.Master, i.MasterPriority, wording.Age(now, i.LastAdvert))
	} else if v.Master == "" {
		v.Master = "none was heard"
	}
	for _, p := range slices.Concat(i.Addresses, i.Excluded) {
		v.Addresses = append(v.Addresses, addressView{Prefix: p.String(), Held: slices.Contains(i.Held, p.Addr())})
	}
	v.Overrides = wording.Overrides(i, now)
	if i.Hold || i.Forced {
		v.Buttons = append(v.Buttons, button{vrrp.Resume, i.Name, "Resume"})
	}
	if i.State == vrrp.Master {
		v.Buttons = append(v.Buttons, button{vrrp.Switchover, i.Name, "Switch over"})
	} else if i.State == vrrp.Backup {
		v.Buttons = append(v.Buttons, button{vrrp.Failover, i.Name, "Take over"})
	}
	return v
}

func viewService(n int, s control.ServiceStatus, used ipvs.ServiceUsage, now time.Time) serviceView {
	v := serviceView{
		Name: s.Name, Scheduler: s.Scheduler, Kind: good, Quorum: fmt.Sprintf("quorum: live weight %d of %d", s.LiveWeight, s.Quorum),
		Rate: fmt.Sprintf("%d new/s, %s/s in, %s/s out", used.Stats.ConnectionRate, bytesText(used.Stats.InByteRate), bytesText(used.Stats.OutByteRate)),
	}
	if !s.QuorumUp {
		v.Kind, v.Quorum = bad, "no "+v.Quorum
	}
	stats := map[netip.AddrPort]ipvs.DestinationStats{}
	for _, d := range used.Destinations {
		stats[netip.AddrPortFrom(d.Addr, d.Port)] = d.Stats
	}
	for m, r := range s.Servers {
		addr := netip.AddrPortFrom(r.Addr, r.Port)
		server := viewServer(s, r, stats[addr])
		for c, check := range r.Checks {
			server.Checks = append(server.Checks, viewCheck(fmt.Sprintf("check-%d-%d-%d", n, m, c), check, now))
		}
		v.Servers = append(v.Servers, server)
	}
	return v
}

func viewServer(s control.ServiceStatus, r health.ServerStatus, d ipvs.DestinationStats) serverView {
	v := serverView{
		Addr: netip.AddrPortFrom(r.Addr, r.Port).String(), State: "up", Kind: good, Weight: wording.Weight(s, r),
		Active: strconv.FormatUint(uint64(d.Active), 10), Inactive: strconv.FormatUint(uint64(d.Inactive), 10),
		Rate: strconv.FormatUint(d.ConnectionRate, 10),
	}
	switch {
	case r.Sorry && r.InPool:
		v.State, v.Kind = "sorry server, serving", warn
	case r.Sorry:
		v.State, v.Kind = "sorry server", soft
	case !r.Up:
		v.State, v.Kind = "down", bad
	case !r.InPool:
		v.State, v.Kind = "up, not in the pool", warn
	}
	return v
}

func viewCheck(id string, c health.CheckStatus, now time.Time) checkView {
	v := checkView{ID: id, Name: c.Kind, State: c.State, Kind: stateKind(c.State), Err: c.Err, Transcript: c.Transcript}
	if c.Paused {
		v.State += ", paused"
	}
	if !c.Last.IsZero() {
		v.When = fmt.Sprintf("%s ago, took %s", wording.Age(now, c.Last), c.Took.Round(10*time.Microsecond))
	}
	if c.Target != "" {
		v.Name += " " + c.Target
	}
	return v
}

func stateKind(state string) string {
	switch state {
	case "up":
		return good
	case "down":
		return bad
	case "retrying":
		return warn
	}
	return soft
}

func levelKind(l journal.Level) string {
	switch l {
	case journal.Error:
		return bad
	case journal.Warning:
		return warn
	case journal.Debug:
		return soft
	}
	return ""
}

// bytesText is a number of bytes with a decimal unit.
func bytesText(n uint64) string {
	units := []string{"B", "kB", "MB", "GB", "TB"}
	v, u := float64(n), 0
	for v >= 1000 && u < len(units)-1 {
		v, u = v/1000, u+1
	}
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0") + " " + units[u]
}
