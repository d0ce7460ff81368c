package control

import (
	"context"
	"net/netip"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/alarm"
	"github.com/tandem-ha/tandem/internal/bfd"
	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/internal/mail"
	"github.com/tandem-ha/tandem/internal/notify"
	"github.com/tandem-ha/tandem/internal/plan"
	"github.com/tandem-ha/tandem/ipvs"
	"github.com/tandem-ha/tandem/vrrp"
)

// Agent is what the control socket can ask of a running agent. Methods are safe
// for use by several goroutines and answer even while everything else fails.
type Agent interface {
	// Status is the agent's state now.
	Status() Status
	// Move carries out an operator's order for the instances named, all of them
	// where none is, and waits until each is settled or ctx is done.
	Move(ctx context.Context, m MoveRequest) (MoveResponse, error)
	// Maintain begins or ends maintenance, and waits until every instance that had
	// to hand over is settled or ctx is done.
	Maintain(ctx context.Context, m MaintenanceRequest) (MaintenanceResponse, error)
	// Server orders something of a real server, and waits for its effect.
	Server(ctx context.Context, r ServerRequest) (ServerResponse, error)
	// Check orders something of health checks, and waits for attempts that it
	// asked for.
	Check(ctx context.Context, r CheckRequest) (CheckResponse, error)
	// LogLevel is how much is logged, SetLogLevel changes it until the process
	// ends and returns what it was.
	LogLevel() LogLevel
	SetLogLevel(LogLevel) LogLevel
	// Reload reads the configuration again.
	Reload(ctx context.Context, r ReloadRequest) ReloadResponse
	// Plan says what Reload would change.
	Plan(ctx context.Context) PlanResponse
	// Journal is the account of what happened; orders are noted there.
	Journal() *journal.Journal
}

// Status is everything that tandem status shows.
type Status struct {
	Version string `json:"version"`
	PID     int    `json:"pid"`
	// Started is when this process started; ConfigLoaded when the configuration
	// in force was read.
	Started      time.Time        `json:"started"`
	ConfigFile   string           `json:"config_file"`
	ConfigLoaded time.Time        `json:"config_loaded"`
	LastReload   *ReloadResponse  `json:"last_reload,omitempty"`
	RouterID     string           `json:"router_id"`
	Instances    []InstanceStatus `json:"instances"`
	Groups       []GroupStatus    `json:"groups,omitempty"`
	Scripts      []ScriptStatus   `json:"scripts,omitempty"`
	Files        []FileStatus     `json:"track_files,omitempty"`
	Processes    []ProcessStatus  `json:"track_processes,omitempty"`
	BFD          []BFDStatus      `json:"bfd,omitempty"`
	Services     []ServiceStatus  `json:"virtual_servers,omitempty"`
	// Maintenance is that this node does not become master; nil where it may.
	Maintenance *desired.Override `json:"maintenance,omitempty"`
	// Dormant are overrides of what is not configured any more; they count again
	// when it is.
	Dormant []ServerOverrides `json:"dormant_overrides,omitempty"`
	// Alarms are what breaks pairs, as far as it is going on.
	Alarms []alarm.Alarm `json:"alarms,omitempty"`
	// Peer is how the other node's configuration compares, nil where api names
	// no peer.
	Peer *PeerStatus `json:"peer,omitempty"`
	// IPVS says what keeps the kernel's table from being kept, if anything does.
	IPVS string `json:"ipvs_error,omitempty"`
	// StampErrors counts adverts whose time could not be noted in the run
	// folder; after a crash the node then starts as backup.
	StampErrors uint64 `json:"stamp_errors,omitempty"`
	// Notify is what became of scripts, FIFO lines and e-mail.
	Notify NotifyStatus `json:"notify"`
	// Timekeeping is how late timers were.
	Timekeeping *Timekeeping `json:"timekeeping,omitempty"`
	// Foreign counts adverts for no instance of ours, by interface and reason.
	Foreign []DropCount `json:"foreign,omitempty"`
	// Config is the configuration in force, for what is written of it in this
	// process (keepalived.data). It does not travel over the socket and may be
	// nil. It is not to be changed.
	Config *config.Config `json:"-"`
}

// InstanceStatus is one VRRP instance.
type InstanceStatus struct {
	vrrp.Status
	// StateName is the state as keepalived and people write it: "MASTER",
	// "MASTER (offering)", "BACKUP", "BACKUP (held)", "FAULT", "INIT".
	StateName    string         `json:"state_name"`
	Interface    string         `json:"interface"`
	VRID         int            `json:"vrid"`
	Version      int            `json:"version"`
	BasePriority int            `json:"base_priority"`
	Interval     time.Duration  `json:"advert_interval"`
	Addresses    []netip.Prefix `json:"addresses"`
	Excluded     []netip.Prefix `json:"excluded,omitempty"`
	// Peers are the unicast peers in force.
	Peers     []netip.Addr `json:"peers,omitempty"`
	SyncGroup string       `json:"sync_group,omitempty"`
	// Tracks is what decides about its priority and its faults.
	Tracks   []TrackStatus `json:"tracks,omitempty"`
	Counters Counters      `json:"counters"`
	// DownMargin is the least time that was left of the master down timer when an
	// advert of the master came, since the instance became backup: how near it was
	// to taking over from a master that lives. Zero while nothing was heard.
	DownMargin time.Duration `json:"down_margin,omitempty"`
	// Jitter is how regularly the adverts of masters came, nil before any did.
	Jitter *Jitter `json:"advert_jitter,omitempty"`
}

// Counters are an instance's counts since it was first configured.
type Counters struct {
	AdvertsReceived  uint64 `json:"adverts_received"`
	AdvertsSent      uint64 `json:"adverts_sent"`
	BecameMaster     uint64 `json:"became_master"`
	ReleasedMaster   uint64 `json:"released_master"`
	PriorityZeroSent uint64 `json:"priority_zero_sent"`
	PriorityZeroRcvd uint64 `json:"priority_zero_received"`
	SendErrors       uint64 `json:"send_errors,omitempty"`
	// StampErrors counts adverts whose time could not be noted in the run
	// folder; after a crash the node then starts as backup.
	StampErrors uint64                 `json:"stamp_errors,omitempty"`
	Dropped     map[vrrp.Reason]uint64 `json:"dropped,omitempty"`
}

// DropCount counts packets that belong to no instance.
type DropCount struct {
	Interface string      `json:"interface"`
	Reason    vrrp.Reason `json:"reason"`
	Count     uint64      `json:"count"`
}

// GroupStatus is one sync group.
type GroupStatus struct {
	Name    string     `json:"name"`
	State   vrrp.State `json:"state"`
	Members []string   `json:"members"`
}

// ScriptStatus is one vrrp_script.
type ScriptStatus struct {
	Name string `json:"name"`
	// State is "up", "down" or "unknown" before the first result.
	State string `json:"state"`
	// Last says how the last run ended: "exit status 1", "timed out after 2s".
	Last  string    `json:"last,omitempty"`
	Since time.Time `json:"since,omitzero"`
	// Running is whether it runs at the moment.
	Running bool `json:"running,omitempty"`
}

// TrackStatus is one thing that an instance tracks, itself or by its sync group.
type TrackStatus struct {
	// Kind is "script", "interface", "file", "process" or "bfd".
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Weight  int    `json:"weight"`
	Reverse bool   `json:"reverse,omitempty"`
	// State is "up", "down" or "unknown", of a file its number.
	State string `json:"state"`
	// Adds is what it adds to the priority now, Fault why it keeps the instance
	// in FAULT, if it does.
	Adds  int    `json:"adds"`
	Fault string `json:"fault,omitempty"`
}

// FileStatus is one track_file.
type FileStatus struct {
	Name  string    `json:"name"`
	Path  string    `json:"path"`
	Value int64     `json:"value"`
	Since time.Time `json:"since,omitzero"`
	// Err is why the file cannot be read, apart from that it is not there.
	Err string `json:"error,omitempty"`
}

// ProcessStatus is one vrrp_track_process.
type ProcessStatus struct {
	Name string `json:"name"`
	// State is "up" where the quorum is there, "down" otherwise, or "unknown".
	State string `json:"state"`
	// Count is how many run.
	Count int       `json:"count"`
	Since time.Time `json:"since,omitzero"`
}

// BFDStatus is one bfd_instance.
type BFDStatus struct {
	Name      string     `json:"name"`
	Neighbour netip.Addr `json:"neighbour"`
	Source    netip.Addr `json:"source,omitzero"`
	// State and Remote are the two ends' states: "Up", "Init", "Down",
	// "AdminDown". Diag and RemoteDiag are why each last left Up.
	State      string    `json:"state"`
	Remote     string    `json:"remote"`
	Diag       string    `json:"diagnostic"`
	RemoteDiag string    `json:"remote_diagnostic"`
	Since      time.Time `json:"since,omitzero"`
	// Tx is the time between our packets, Detection how long nothing may be
	// heard, 0 while nothing is.
	Tx        time.Duration `json:"tx_interval"`
	Detection time.Duration `json:"detection_time"`
	bfd.Counters
}

// ServiceStatus is one virtual server: what the checks make of it, and what it
// is in the kernel's table.
type ServiceStatus struct {
	health.ServiceStatus
	Key       ipvs.ServiceKey `json:"key"`
	Scheduler string          `json:"scheduler"`
	// Overrides are what is ordered of its real servers and their checks.
	Overrides []ServerOverrides `json:"overrides,omitempty"`
}

// NotifyStatus is what became of the notifications.
type NotifyStatus struct {
	// ScriptsDropped counts runs of notify scripts that too many others kept
	// from beginning.
	ScriptsDropped uint64              `json:"scripts_dropped"`
	FIFOs          []notify.FIFOStatus `json:"fifos,omitempty"`
	Mail           mail.Status         `json:"mail"`
}

// MoveRequest is an operator's order.
type MoveRequest struct {
	Kind      vrrp.CommandKind `json:"kind"`
	Instances []string         `json:"instances,omitempty"`
	Force     bool             `json:"force,omitempty"`
}

// MoveResponse says how an order ended, an outcome for each instance.
type MoveResponse struct {
	Outcomes []MoveOutcome `json:"outcomes"`
}

// MoveOutcome is the end of an order for one instance.
type MoveOutcome struct {
	Instance string `json:"instance"`
	// Done is true where the order had its effect. Where it is false, Text says
	// why: refused, rolled back, timed out.
	Done bool   `json:"done"`
	Text string `json:"text"`
	// State is the instance's state at the end, as InstanceStatus.StateName.
	State string        `json:"state"`
	Took  time.Duration `json:"took"`
}

// PeerStatus is the other node's configuration beside this one's.
type PeerStatus struct {
	Address string `json:"address"`
	// Asked is when it was last asked, Err why it could not be compared.
	Asked time.Time `json:"asked,omitzero"`
	Err   string    `json:"error,omitempty"`
	// Drift is what differs and should not: Was here, Is there.
	Drift []config.Difference `json:"drift,omitempty"`
}

// ReloadRequest asks for a reload.
type ReloadRequest struct {
	// Plan is the ID of a plan: the reload does what that has said, or nothing.
	// Empty puts in force whatever the configuration says now.
	Plan string `json:"plan,omitempty"`
}

// PlanResponse says what a reload would change.
type PlanResponse struct {
	// OK is false where a reload would be refused; Err and Diagnostics say why.
	OK          bool                `json:"ok"`
	Err         string              `json:"error,omitempty"`
	Diagnostics []config.Diagnostic `json:"diagnostics,omitempty"`
	Plan        *plan.Plan          `json:"plan,omitempty"`
}

// ReloadResponse says how a reload ended.
type ReloadResponse struct {
	Time time.Time `json:"time"`
	// OK is false where the configuration cannot run; then nothing was changed
	// and Err and Diagnostics say why.
	OK bool `json:"ok"`
	// Changed is false where the configuration means what it meant before.
	Changed     bool                `json:"changed"`
	Err         string              `json:"error,omitempty"`
	Diagnostics []config.Diagnostic `json:"diagnostics,omitempty"`
	// Changes names what was changed, a line each.
	Changes []string `json:"changes,omitempty"`
}
