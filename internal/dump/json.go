package dump

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/vrrp"
)

// seconds is a time as the file has it: seconds with six digits after the
// point, as many as they need.
type seconds time.Duration

// MarshalJSON writes the seconds as a number.
func (s seconds) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(s).Seconds())
}

// epoch is a moment as seconds since 1970.
type epoch time.Time

// MarshalJSON writes microseconds after the point, and 0 for no moment.
func (e epoch) MarshalJSON() ([]byte, error) {
	t := time.Time(e)
	if t.IsZero() {
		return []byte("0"), nil
	}
	return []byte(unixMicro(t)), nil
}

// flag is a truth value that the file has as a number.
type flag bool

// MarshalJSON writes 0 or 1.
func (f flag) MarshalJSON() ([]byte, error) {
	if f {
		return []byte("1"), nil
	}
	return []byte("0"), nil
}

// jsonInstance is one element of the file's list.
type jsonInstance struct {
	Data  jsonData `json:"data"`
	Stats Counts   `json:"stats"`
}

// jsonData is what an instance is and does, under keepalived's names.
type jsonData struct {
	Name               string        `json:"iname"`
	DontTrackPrimary   flag          `json:"dont_track_primary"`
	SkipCheckAdvAddr   flag          `json:"skip_check_adv_addr"`
	Strict             flag          `json:"strict_mode"`
	VMAC               string        `json:"vmac_ifname"`
	Interface          string        `json:"ifp_ifname,omitempty"`
	MasterPriority     int           `json:"master_priority"`
	LastTransition     epoch         `json:"last_transition"`
	GARPDelay          seconds       `json:"garp_delay"`
	GARPRefresh        seconds       `json:"garp_refresh"`
	GARPRepeat         int           `json:"garp_rep"`
	GARPRefreshRepeat  int           `json:"garp_refresh_rep"`
	GARPLowerDelay     seconds       `json:"garp_lower_prio_delay"`
	GARPLowerRepeat    int           `json:"garp_lower_prio_rep"`
	LowerNoAdvert      flag          `json:"lower_prio_no_advert"`
	HigherSendAdvert   flag          `json:"higher_prio_send_advert"`
	VRID               int           `json:"vrid"`
	BasePriority       int           `json:"base_priority"`
	EffectivePriority  int           `json:"effective_priority"`
	VIPSet             bool          `json:"vipset"`
	PromoteSecondaries bool          `json:"promote_secondaries"`
	AdvertInterval     seconds       `json:"adver_int"`
	MasterInterval     seconds       `json:"master_adver_int"`
	Accept             flag          `json:"accept"`
	NoPreempt          bool          `json:"nopreempt"`
	PreemptDelay       seconds       `json:"preempt_delay"`
	State              vrrpState     `json:"state"`
	WantState          vrrpState     `json:"wantstate"`
	Version            int           `json:"version"`
	SMTPAlert          bool          `json:"smtp_alert"`
	NotifyDeleted      bool          `json:"notify_deleted"`
	ScriptBackup       string        `json:"script_backup,omitempty"`
	ScriptMaster       string        `json:"script_master,omitempty"`
	ScriptFault        string        `json:"script_fault,omitempty"`
	ScriptStop         string        `json:"script_stop,omitempty"`
	ScriptDeleted      string        `json:"script_deleted,omitempty"`
	Script             string        `json:"script,omitempty"`
	ScriptRxLower      string        `json:"script_master_rx_lower_pri,omitempty"`
	VIPs               []string      `json:"vips,omitempty"`
	ExcludedVIPs       []string      `json:"evips,omitempty"`
	Routes             []string      `json:"vroutes,omitempty"`
	Rules              []string      `json:"vrules,omitempty"`
	TrackInterfaces    []string      `json:"track_ifp,omitempty"`
	TrackScripts       []string      `json:"track_script,omitempty"`
	TrackProcesses     []string      `json:"track_process,omitempty"`
	AuthType           vrrp.AuthType `json:"auth_type"`
	AuthData           string        `json:"auth_data,omitempty"`
}

// vrrpState is a state as its number.
type vrrpState vrrp.State

// jsonProcess is one element of json_version 2's list of tracked processes.
type jsonProcess struct {
	Process        string  `json:"process"`
	Parameters     string  `json:"parameters,omitempty"`
	ParamMatch     string  `json:"param_match"`
	Min            int     `json:"min_processes"`
	Max            *int    `json:"max_processes,omitempty"`
	Current        int     `json:"current_processes"`
	HaveQuorum     bool    `json:"have_quorum"`
	Weight         int     `json:"weight"`
	TerminateDelay seconds `json:"terminate_delay"`
	ForkDelay      seconds `json:"fork_delay"`
	Forking        bool    `json:"fork_delay_timer_running"`
	Terminating    bool    `json:"terminate_delay_timer_running"`
	FullCommand    bool    `json:"full_command"`
}

// JSON is the content of keepalived.json: with json_version 1 a list of
// instances, with 2 that list under a name beside the tracked processes. Where
// the status carries no configuration, what only the configuration says has its
// zero value, and the version is 1.
func JSON(s control.Status) ([]byte, error) {
	list := make([]jsonInstance, 0, len(s.Instances))
	for _, i := range s.Instances {
		list = append(list, jsonInstance{Data: dataOf(s, i), Stats: CountsOf(i.Counters)})
	}
	if s.Config == nil || s.Config.Global.Files.JSONVersion != 2 {
		return json.Marshal(list)
	}
	return json.Marshal(struct {
		VRRP      []jsonInstance `json:"vrrp"`
		Processes []jsonProcess  `json:"track_process,omitempty"`
	}{list, processesOf(s)})
}

// processesOf are the tracked processes of a status with a configuration.
func processesOf(s control.Status) []jsonProcess {
	var out []jsonProcess
	for _, t := range s.Processes {
		c := processConfig(s.Config, t.Name)
		if c == nil {
			continue
		}
		p := jsonProcess{
			Process: c.Name, Parameters: strings.Join(c.Params, " "), ParamMatch: cmp.Or(c.Match, "none"), Min: c.Quorum, Current: t.Count,
			HaveQuorum: t.State == "up", Weight: c.Weight, TerminateDelay: seconds(c.TerminateDelay), ForkDelay: seconds(c.ForkDelay),
			FullCommand: c.FullCommand,
		}
		if c.QuorumMax >= 0 {
			p.Max = &c.QuorumMax
		}
		// While the quorum is not what the count makes it, a delay is running.
		few, many := t.Count < c.Quorum, c.QuorumMax >= 0 && t.Count > c.QuorumMax
		if delayed := t.State != "unknown" && p.HaveQuorum == (few || many); delayed {
			p.Terminating, p.Forking = few, !few
		}
		out = append(out, p)
	}
	return out
}

func dataOf(s control.Status, i control.InstanceStatus) jsonData {
	d := jsonData{
		Name:              i.Name,
		Interface:         i.Interface,
		MasterPriority:    int(i.MasterPriority),
		LastTransition:    epoch(i.Since),
		VRID:              i.VRID,
		BasePriority:      i.BasePriority,
		EffectivePriority: int(i.Priority),
		VIPSet:            len(i.Held) > 0,
		AdvertInterval:    seconds(i.Interval),
		MasterInterval:    seconds(i.MasterInterval),
		Accept:            true,
		State:             vrrpState(i.State),
		WantState:         vrrpState(wanted(i)),
		Version:           i.Version,
	}
	c := instanceConfig(s.Config, i.Name)
	d.VIPs, d.ExcludedVIPs = addressLines(c, i)
	if c == nil {
		return d
	}
	d.DontTrackPrimary = flag(!c.TrackPrimary)
	d.SkipCheckAdvAddr = flag(c.SkipCheckAddresses)
	d.Strict = flag(c.Strict)
	d.GARPDelay = seconds(c.GARP.Delay)
	d.GARPRefresh = seconds(c.GARP.Refresh)
	d.GARPRepeat = c.GARP.Repeat
	d.GARPRefreshRepeat = c.GARP.RefreshRepeat
	d.GARPLowerDelay = seconds(c.GARP.LowerPrioDelay)
	d.GARPLowerRepeat = c.GARP.LowerPrioRepeat
	d.LowerNoAdvert = flag(c.LowerPrioNoAdvert)
	d.HigherSendAdvert = flag(c.HigherPrioSendAdvert)
	d.PromoteSecondaries = c.PromoteSecondaries
	d.Accept = flag(c.Accept)
	d.NoPreempt = !c.Preempt
	d.PreemptDelay = seconds(c.PreemptDelay)
	d.NotifyDeleted = c.Notify.TellDeleted
	d.ScriptBackup = commandLine(c.Notify.Backup)
	d.ScriptMaster = commandLine(c.Notify.Master)
	d.ScriptFault = commandLine(c.Notify.Fault)
	d.ScriptStop = commandLine(c.Notify.Stop)
	d.ScriptDeleted = commandLine(c.Notify.Deleted)
	d.Script = commandLine(c.Notify.Any)
	d.ScriptRxLower = commandLine(c.Notify.MasterRxLower)
	d.SMTPAlert = c.SMTPAlert
	d.Routes, d.Rules = routeLines(c), ruleLines(c)
	for _, t := range c.TrackInterfaces {
		d.TrackInterfaces = append(d.TrackInterfaces, t.Name)
	}
	for _, t := range c.TrackScripts {
		d.TrackScripts = append(d.TrackScripts, scriptLine(s.Config, t.Name))
	}
	for _, t := range c.TrackProcesses {
		d.TrackProcesses = append(d.TrackProcesses, t.Name)
	}
	d.AuthType = authNumber(c.AuthType)
	if d.AuthType != vrrp.AuthNone {
		d.AuthData = hiddenPassword
	}
	return d
}

// authNumber is the Auth Type field of a configured authentication.
func authNumber(name string) vrrp.AuthType {
	switch name {
	case "PASS":
		return vrrp.AuthPassword
	case "AH":
		return vrrp.AuthAH
	}
	return vrrp.AuthNone
}

// scriptLine is the command line of the vrrp_script of that name.
func scriptLine(c *config.Config, name string) string {
	if s := scriptConfig(c, name); s != nil {
		return commandLine(&s.Command)
	}
	return name
}

// commandLine is a command as keepalived prints it: each word in quotes.
func commandLine(c *config.Command) string {
	if c == nil {
		return ""
	}
	words := make([]string, len(c.Args))
	for i, a := range c.Args {
		words[i] = "'" + a + "'"
	}
	return strings.Join(words, " ")
}
