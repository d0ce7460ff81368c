package dump

import (
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
	TrackInterfaces    []string      `json:"track_ifp,omitempty"`
	TrackScripts       []string      `json:"track_script,omitempty"`
	AuthType           vrrp.AuthType `json:"auth_type"`
	AuthData           string        `json:"auth_data,omitempty"`
}

// vrrpState is a state as its number.
type vrrpState vrrp.State

// JSON is the content of keepalived.json, in the form of json_version 1: a
// list of instances. Where the status carries no configuration, what only the
// configuration says has its zero value.
func JSON(s control.Status) ([]byte, error) {
	list := make([]jsonInstance, 0, len(s.Instances))
	for _, i := range s.Instances {
		list = append(list, jsonInstance{Data: dataOf(s, i), Stats: CountsOf(i.Counters)})
	}
	return json.Marshal(list)
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
	for _, t := range c.TrackInterfaces {
		d.TrackInterfaces = append(d.TrackInterfaces, t.Name)
	}
	for _, t := range c.TrackScripts {
		d.TrackScripts = append(d.TrackScripts, scriptLine(s.Config, t.Name))
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
	for _, s := range c.Scripts {
		if s.Name == name {
			return commandLine(&s.Command)
		}
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
