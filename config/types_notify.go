package config

import "time"

// Mail is what global_defs says of e-mail. None is sent where Server or To is
// empty.
type Mail struct {
	// From is the sender; empty is this user at this host.
	From string   `json:"from,omitempty"`
	To   []string `json:"to,omitempty"`
	// Server is the name or address of the relay, Port 25 unless given.
	Server string `json:"server,omitempty"`
	Port   uint16 `json:"port,omitempty"`
	// HELO is how the program greets the relay; empty is the host's name.
	HELO string `json:"helo,omitempty"`
	// Timeout bounds a connection to the relay, 30 s unless given.
	Timeout time.Duration `json:"timeout,omitempty"`
	// NoFaults sends nothing on a FAULT (no_email_faults).
	NoFaults bool `json:"no_faults,omitempty"`
	// ServersOnly sends only when a real server joins or leaves, and not for
	// each check (no_checker_emails).
	ServersOnly bool `json:"servers_only,omitempty"`
}

// FIFO is a named pipe that receives a line for each event.
type FIFO struct {
	Pos  Pos    `json:"-"`
	Path string `json:"path"`
	// User and group own the pipe where it has to be made; empty is our own.
	User User `json:"user,omitzero"`
	// Script is started with the pipe's path as its last argument, to read it;
	// nil is none.
	Script *Command `json:"script,omitempty"`
}

// FIFOs are the pipes of global_defs; nil is none.
type FIFOs struct {
	// All receives every event (notify_fifo).
	All *FIFO `json:"all,omitempty"`
	// VRRP receives those of instances and groups (vrrp_notify_fifo).
	VRRP *FIFO `json:"vrrp,omitempty"`
	// LVS receives those of virtual and real servers (lvs_notify_fifo).
	LVS *FIFO `json:"lvs,omitempty"`
	// StatesOnReload writes every VRRP state after a reload.
	StatesOnReload bool `json:"states_on_reload,omitempty"`
}

// TimedCommand is a script with the time that it may take.
type TimedCommand struct {
	Command Command       `json:"command"`
	Timeout time.Duration `json:"timeout"`
}

// SNMP is what global_defs says of SNMP.
type SNMP struct {
	Socket  string `json:"socket,omitempty"`
	Traps   bool   `json:"traps,omitempty"`
	VRRP    bool   `json:"vrrp,omitempty"`
	RFCv2   bool   `json:"rfc_v2,omitempty"`
	RFCv3   bool   `json:"rfc_v3,omitempty"`
	Checker bool   `json:"checker,omitempty"`
	// ServiceAge and ServerAge are how old the figures of a virtual and of a
	// real server may be; 0 is the default.
	ServiceAge time.Duration `json:"service_age,omitempty"`
	ServerAge  time.Duration `json:"server_age,omitempty"`
}

// DBus is what global_defs says of D-Bus.
type DBus struct {
	Enabled bool `json:"enabled,omitempty"`
	// Service is the name on the bus, empty for org.keepalived.Vrrp1.
	Service string `json:"service,omitempty"`
	// NoInterface stands in a path for a missing interface.
	NoInterface string `json:"no_interface,omitempty"`
}

// Firewall is what global_defs says of firewall rules.
type Firewall struct {
	// IPTables uses iptables, in the chains In and Out where they are named.
	IPTables bool   `json:"iptables,omitempty"`
	In       string `json:"in,omitempty"`
	Out      string `json:"out,omitempty"`
	// IPSets are the names of vrrp_ipsets; NoIPSets is vrrp_ipsets without any.
	IPSets   []string `json:"ipsets,omitempty"`
	NoIPSets bool     `json:"no_ipsets,omitempty"`
	// Table is the nftables table for VRRP, empty for none, with the priority
	// of its chains, -1 unless given.
	Table         string `json:"table,omitempty"`
	TablePriority int    `json:"table_priority,omitempty"`
	ByIndex       bool   `json:"by_index,omitempty"`
	Counters      bool   `json:"counters,omitempty"`
	// IPVSTable is the nftables table that marks packets for groups of virtual
	// servers, empty for none; IPVSMark is the first mark, 1000 unless given.
	IPVSTable    string `json:"ipvs_table,omitempty"`
	IPVSPriority int    `json:"ipvs_priority,omitempty"`
	IPVSMark     uint32 `json:"ipvs_mark,omitempty"`
}
