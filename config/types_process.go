package config

import "time"

// Process is what a file says of the process as a whole, outside global_defs.
type Process struct {
	// Instance names this process among several on a host (instance); it goes
	// into file names. It is not ${_INSTANCE}, which is Options.ID.
	Instance string `json:"instance,omitempty"`
	// NetNamespace is the network namespace to run in (net_namespace).
	NetNamespace string `json:"net_namespace,omitempty"`
	// NetNamespaceIPVS is the namespace whose IPVS table is used; nil is
	// NetNamespace, empty the default namespace.
	NetNamespaceIPVS *string `json:"net_namespace_ipvs,omitempty"`
	// IPSetsInNamespace is namespace_with_ipsets.
	IPSetsInNamespace bool `json:"ipsets_in_namespace,omitempty"`
	// PIDFolder puts pid files into a folder of their own: use_pid_dir, which
	// Instance and NetNamespace imply.
	PIDFolder bool `json:"pid_folder,omitempty"`
	// ChildWait bounds the wait for child processes at the end, 5 s unless given.
	ChildWait time.Duration `json:"child_wait"`
	// PollLinks is linkbeat_use_polling.
	PollLinks bool `json:"poll_links,omitempty"`
	// VRRP, Checker and BFD are how keepalived's three processes are scheduled.
	VRRP    Scheduling `json:"vrrp"`
	Checker Scheduling `json:"checker"`
	BFD     Scheduling `json:"bfd"`
	// Name is that of the parent process (process_name); NameAll gives each
	// child keepalived's name for it (process_names).
	Name    string `json:"name,omitempty"`
	NameAll bool   `json:"name_all,omitempty"`
	// MaxAutoPriority is how far the real time priority of a process that wakes
	// up late may rise; 0 and -1 are not at all.
	MaxAutoPriority int `json:"max_auto_priority,omitempty"`
	// AutoPriorityDelay is how late is late, 1 s unless given.
	AutoPriorityDelay time.Duration `json:"auto_priority_delay"`
	// Umask is for the files that the program makes, 0177 unless given.
	Umask int `json:"umask"`
}

// Scheduling is how one of keepalived's processes is scheduled.
type Scheduling struct {
	// Name is the process's, empty for the program's.
	Name string `json:"name,omitempty"`
	// Nice is its nice value, -20 to 19.
	Nice int `json:"nice,omitempty"`
	// NoSwap locks its memory.
	NoSwap bool `json:"no_swap,omitempty"`
	// RealTime is its priority in real time, 1 to 99; 0 is none.
	RealTime int `json:"real_time,omitempty"`
	// RealTimeLimit is how long it may run in real time without a pause, 10 ms
	// unless given.
	RealTimeLimit time.Duration `json:"real_time_limit"`
	// CPUs are those that it is bound to, all where it is empty.
	CPUs []int `json:"cpus,omitempty"`
}

// Reload is what a file says of reading it anew.
type Reload struct {
	// Check tests a file before it is read anew; CheckLog is where to.
	Check    bool   `json:"check,omitempty"`
	CheckLog string `json:"check_log,omitempty"`
	// TimeFile holds the time of the next reload; Repeat reloads at it each day.
	TimeFile string `json:"time_file,omitempty"`
	Repeat   bool   `json:"repeat,omitempty"`
	// MarkFile exists while a file is read: reload_file, where "-" is a name of
	// the program's choice.
	MarkFile string `json:"mark_file,omitempty"`
}

// Files are where the program writes what it is asked for.
type Files struct {
	// SaveFolder receives a copy of each configuration that is read.
	SaveFolder string `json:"save_folder,omitempty"`
	// TemporaryFolder holds the joined configuration (tmp_config_directory).
	TemporaryFolder string `json:"temporary_folder,omitempty"`
	// DumpInstance puts the instance's name into the names of dump files.
	DumpInstance bool `json:"dump_instance,omitempty"`
	// JSONVersion is the format of the JSON dump, 1 or 2.
	JSONVersion int `json:"json_version"`
	// StateDump, StatsDump and JSONDump are where dumps go.
	StateDump string `json:"state_dump,omitempty"`
	StatsDump string `json:"stats_dump,omitempty"`
	JSONDump  string `json:"json_dump,omitempty"`
	// RouteNames and RouteNamesEtc are where iproute2's tables of names are.
	RouteNames    string `json:"route_names,omitempty"`
	RouteNamesEtc string `json:"route_names_etc,omitempty"`
}

// Buffers are the sizes of socket buffers in bytes, 0 for the system's.
type Buffers struct {
	VRRPCommand      int  `json:"vrrp_command,omitempty"`
	VRRPCommandForce bool `json:"vrrp_command_force,omitempty"`
	VRRPMonitor      int  `json:"vrrp_monitor,omitempty"`
	VRRPMonitorForce bool `json:"vrrp_monitor_force,omitempty"`
	LVSCommand       int  `json:"lvs_command,omitempty"`
	LVSCommandForce  bool `json:"lvs_command_force,omitempty"`
	LVSMonitor       int  `json:"lvs_monitor,omitempty"`
	LVSMonitorForce  bool `json:"lvs_monitor_force,omitempty"`
	Processes        int  `json:"processes,omitempty"`
	ProcessesForce   bool `json:"processes_force,omitempty"`
	// Advert is the size of the receive buffers of VRRP: in bytes, or by
	// AdvertPolicy "MTU" or "ADVERT" times AdvertMultiplier, which is 3 unless
	// given.
	Advert           int    `json:"advert,omitempty"`
	AdvertPolicy     string `json:"advert_policy,omitempty"`
	AdvertMultiplier int    `json:"advert_multiplier"`
}
