package journal

// Area is the part of the program that an event is about. It chooses the name
// under which syslog shows the event.
type Area string

// The areas. Main is what concerns the program as a whole.
const (
	Main   Area = ""
	VRRP   Area = "vrrp"
	Checks Area = "checks"
)

// What a StateChange is about, in keepalived's words.
const (
	Instance = "INSTANCE"
	Group    = "GROUP"
)

// The states that a StateChange names, in keepalived's words. Stop and Deleted
// are how an instance ends with the program and with a reload.
const (
	Init    = "INIT"
	Backup  = "BACKUP"
	Master  = "MASTER"
	Fault   = "FAULT"
	Stop    = "STOP"
	Deleted = "DELETED"
)

// StateChange is the Data of an instance or a sync group that changed state.
type StateChange struct {
	// Kind is Instance or Group.
	Kind string `json:"kind"`
	Name string `json:"name"`
	// From and To are states; From is empty at the start.
	From string `json:"from,omitempty"`
	To   string `json:"to"`
	// Priority is the effective priority, 0 for a group.
	Priority int    `json:"priority"`
	Cause    string `json:"cause,omitempty"`
}

// PriorityChange is the Data of an instance whose effective priority moved.
type PriorityChange struct {
	Name string `json:"name"`
	From int    `json:"from"`
	To   int    `json:"to"`
	// State is the instance's state at the time.
	State string `json:"state"`
	Cause string `json:"cause,omitempty"`
}

// LowerPriority is the Data of a master that heard a worse master
// (keepalived's MASTER_RX_LOWER_PRI).
type LowerPriority struct {
	Name string `json:"name"`
	// Priority is our own effective priority.
	Priority int `json:"priority"`
	// Peer is the address of the worse master.
	Peer string `json:"peer"`
}

// End says how something ended that no check has ended.
type End string

// The ends: a reload removed it, or the program stops.
const (
	EndRemoved End = "removed"
	EndStopped End = "stopped"
)

// CheckChange is the Data of a check that has changed its mind about a server.
type CheckChange struct {
	Service string `json:"service"`
	Server  string `json:"server"`
	// Kind is the check's keyword: "TCP_CHECK".
	Kind string `json:"kind"`
	Up   bool   `json:"up"`
	// Cause is the failure.
	Cause string `json:"cause,omitempty"`
}

// ServerChange is the Data of a real server that came up or went down.
type ServerChange struct {
	// Service and Server are named as in logs: "[192.0.2.10]:tcp:80".
	Service string `json:"service"`
	Server  string `json:"server"`
	Up      bool   `json:"up"`
	Cause   string `json:"cause,omitempty"`
	// Ended is set where it went down because it is no longer wanted.
	Ended End `json:"ended,omitempty"`
}

// WeightChange is the Data of a real server whose weight moved.
type WeightChange struct {
	Service string `json:"service"`
	Server  string `json:"server"`
	From    int    `json:"from"`
	To      int    `json:"to"`
}

// QuorumChange is the Data of a virtual server that gained or lost its quorum.
type QuorumChange struct {
	Service string `json:"service"`
	Up      bool   `json:"up"`
	// Weight is the live weight now, Quorum what the service needs.
	Weight int `json:"weight"`
	Quorum int `json:"quorum"`
	// Hysteresis is added to Quorum to gain it, and taken off to lose it.
	Hysteresis int `json:"hysteresis,omitempty"`
	// Initial is set where the service started with its quorum.
	Initial bool `json:"initial,omitempty"`
}

// ScriptChange is the Data of a tracking script whose result counts from now.
type ScriptChange struct {
	Name string `json:"name"`
	Up   bool   `json:"up"`
	// Cause is how the deciding run ended: "exited with status 1".
	Cause string `json:"cause,omitempty"`
}

// Order is the Data of what somebody told the agent to do.
type Order struct {
	// Command is the order's name, Request what was asked for.
	Command string `json:"command"`
	Request any    `json:"request,omitempty"`
	// Refused is true where it was not carried out.
	Refused bool `json:"refused,omitempty"`
}

// TrackChange is the Data of a tracked file, process or BFD session that changed.
type TrackChange struct {
	// Kind is "file", "process" or "bfd".
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Up is whether a process has its quorum or a session is up; Value is the
	// number in a file, and how many processes run.
	Up    bool   `json:"up"`
	Value int64  `json:"value,omitempty"`
	Cause string `json:"cause,omitempty"`
}

// area is the area of an event that does not name one.
func (e *Event) area() Area {
	switch e.Data.(type) {
	case StateChange, PriorityChange, LowerPriority, ScriptChange, TrackChange:
		return VRRP
	case CheckChange, ServerChange, WeightChange, QuorumChange:
		return Checks
	}
	return Main
}
