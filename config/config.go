package config

import (
	"net/netip"
	"time"
)

// Config is a configuration with every default, inheritance and alias resolved:
// what the rest of tandem acts on. Two files that mean the same give Configs
// that are equal apart from their positions.
type Config struct {
	Process Process `json:"process"`
	Global  Global  `json:"global"`
	// TLS is the block SSL, nil without one.
	TLS             *TLS          `json:"tls,omitempty"`
	StaticAddresses []Address     `json:"static_addresses,omitempty"`
	StaticRoutes    []Route       `json:"static_routes,omitempty"`
	StaticRules     []Rule        `json:"static_rules,omitempty"`
	TrackGroups     []*TrackGroup `json:"track_groups,omitempty"`
	GARPGroups      []*GARPGroup  `json:"garp_groups,omitempty"`
	LinkDelays      []LinkDelay   `json:"link_delays,omitempty"`
	LinkPolls       []LinkPoll    `json:"link_polls,omitempty"`

	Scripts        []*Script        `json:"scripts,omitempty"`
	TrackFiles     []*TrackFile     `json:"track_files,omitempty"`
	TrackProcesses []*TrackProcess  `json:"track_processes,omitempty"`
	BFD            []*BFDSession    `json:"bfd,omitempty"`
	SyncGroups     []*SyncGroup     `json:"sync_groups,omitempty"`
	Instances      []*Instance      `json:"instances,omitempty"`
	VirtualServers []*VirtualServer `json:"virtual_servers,omitempty"`

	// Tandem are tandem's own settings.
	Tandem Tandem `json:"tandem,omitzero"`
}

// Pos is a place in a file. Line and Column count from 1; columns are bytes.
type Pos struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

// Global is the block global_defs.
type Global struct {
	// RouterID names this node in messages; the host name unless set.
	RouterID string `json:"router_id"`
	// StartupDelay is vrrp_startup_delay.
	StartupDelay time.Duration `json:"startup_delay,omitempty"`
	// DynamicInterfaces permits interfaces that do not exist yet.
	DynamicInterfaces bool `json:"dynamic_interfaces,omitempty"`
	// ARPInterval and NAInterval are the least spacing of gratuitous ARPs and
	// Neighbour Advertisements on an interface (vrrp_garp_interval, vrrp_gna_interval).
	ARPInterval time.Duration `json:"arp_interval,omitempty"`
	NAInterval  time.Duration `json:"na_interval,omitempty"`
	// LogUnknownVRIDs is log_unknown_vrids.
	LogUnknownVRIDs bool `json:"log_unknown_vrids,omitempty"`
	// ScriptUser is the default user of scripts; ScriptSecurity refuses scripts
	// that run as root and that others may write.
	ScriptUser     User `json:"script_user"`
	ScriptSecurity bool `json:"script_security,omitempty"`
	// SymlinkPaths runs a script by the name given, though it is a link;
	// SupplementaryGroups gives it all groups of its user.
	SymlinkPaths        bool `json:"symlink_paths,omitempty"`
	SupplementaryGroups bool `json:"supplementary_groups,omitempty"`
	// RSInitNotifies runs notify_up for servers that come up at the start.
	RSInitNotifies bool `json:"rs_init_notifies,omitempty"`
	// Startup and Shutdown are scripts before everything and after it; nil is
	// none.
	Startup  *TimedCommand `json:"startup,omitempty"`
	Shutdown *TimedCommand `json:"shutdown,omitempty"`
	// DelayAfterBoot is vrrp_delay_after_boot: instances wait until the host has
	// been up for that long. The later of this and StartupDelay counts.
	DelayAfterBoot time.Duration `json:"delay_after_boot,omitempty"`
	// InterfaceChanges is the option allow_if_changes of dynamic_interfaces.
	InterfaceChanges bool `json:"interface_changes,omitempty"`
	// DefaultInterface is that of static addresses, routes and rules that name
	// none, eth0 unless given.
	DefaultInterface string `json:"default_interface"`
	// NoLocalIGMP keeps the kernel from reporting link-local groups.
	NoLocalIGMP bool `json:"no_local_igmp,omitempty"`
	// VMACPrefix and VMACAddressPrefix begin the names of VMACs, and of those
	// made by use_vmac_addr; vrrp unless given.
	VMACPrefix        string `json:"vmac_prefix"`
	VMACAddressPrefix string `json:"vmac_address_prefix"`

	Mail     Mail     `json:"mail,omitzero"`
	FIFOs    FIFOs    `json:"fifos,omitzero"`
	LVS      LVS      `json:"lvs,omitzero"`
	SNMP     SNMP     `json:"snmp,omitzero"`
	DBus     DBus     `json:"dbus,omitzero"`
	Firewall Firewall `json:"firewall,omitzero"`
	Reload   Reload   `json:"reload,omitzero"`
	Files    Files    `json:"files"`
	Buffers  Buffers  `json:"buffers"`
}

// User is a user and group as the file names them; empty for the default.
type User struct {
	Name  string `json:"name,omitempty"`
	Group string `json:"group,omitempty"`
}

// Command is a script line: the command with its arguments, and who runs it.
type Command struct {
	Pos  Pos      `json:"-"`
	Args []string `json:"args"`
	User User     `json:"user"`
}

// Script is a block vrrp_script.
type Script struct {
	Pos      Pos           `json:"-"`
	Name     string        `json:"name"`
	Command  Command       `json:"command"`
	Interval time.Duration `json:"interval"`
	Timeout  time.Duration `json:"timeout"`
	Weight   int           `json:"weight,omitempty"`
	Reverse  bool          `json:"reverse,omitempty"`
	Rise     int           `json:"rise"`
	Fall     int           `json:"fall"`
	// InitFail assumes failure until Rise successes.
	InitFail bool `json:"init_fail,omitempty"`
}

// SyncGroup is a block vrrp_sync_group.
type SyncGroup struct {
	Pos     Pos      `json:"-"`
	Name    string   `json:"name"`
	Members []string `json:"members"`
	// What the group tracks applies to every member.
	TrackScripts    []Track `json:"track_scripts,omitempty"`
	TrackInterfaces []Track `json:"track_interfaces,omitempty"`
	TrackFiles      []Track `json:"track_files,omitempty"`
	TrackProcesses  []Track `json:"track_processes,omitempty"`
	TrackBFD        []Track `json:"track_bfd,omitempty"`
	Notify          Notify  `json:"notify"`
	// SMTPAlert sends e-mail at each change, false where Global.Mail allows none;
	// NotifyPriorityChanges writes changes of priority to the FIFOs.
	SMTPAlert             bool `json:"smtp_alert,omitempty"`
	NotifyPriorityChanges bool `json:"notify_priority_changes,omitempty"`
}

// Track is one line of track_script, track_interface, track_file, track_process or
// track_bfd, weight resolved.
type Track struct {
	Pos     Pos    `json:"-"`
	Name    string `json:"name"`
	Weight  int    `json:"weight,omitempty"`
	Reverse bool   `json:"reverse,omitempty"`
}

// Notify holds the notify scripts of an instance or a group; nil is none.
type Notify struct {
	Master        *Command `json:"master,omitempty"`
	Backup        *Command `json:"backup,omitempty"`
	Fault         *Command `json:"fault,omitempty"`
	Stop          *Command `json:"stop,omitempty"`
	Deleted       *Command `json:"deleted,omitempty"`
	Any           *Command `json:"any,omitempty"`
	MasterRxLower *Command `json:"master_rx_lower,omitempty"`
	// TellDeleted calls the end of an instance by a reload DELETED, where
	// otherwise it is called FAULT (notify_deleted, with or without a script).
	TellDeleted bool `json:"tell_deleted,omitempty"`
}

// Instance is a block vrrp_instance.
type Instance struct {
	Pos       Pos    `json:"-"`
	Name      string `json:"name"`
	Interface string `json:"interface"`
	VRID      int    `json:"vrid"`
	Version   int    `json:"version"`
	// IPv6 is the family of the adverts.
	IPv6 bool `json:"ipv6,omitempty"`
	// Priority is the base priority; 255 is the address owner.
	Priority int `json:"priority"`
	// StateMaster is true for state MASTER.
	StateMaster      bool          `json:"state_master,omitempty"`
	AdvertInterval   time.Duration `json:"advert_interval"`
	DownTimerAdverts int           `json:"down_timer_adverts"`
	Preempt          bool          `json:"preempt"`
	PreemptDelay     time.Duration `json:"preempt_delay,omitempty"`
	Strict           bool          `json:"strict,omitempty"`
	// Accept is false for no_accept: packets to a VIP that is not ours are dropped.
	Accept bool `json:"accept"`

	// AuthType is "", "PASS" or "AH"; AuthPass is cut to its eight bytes.
	AuthType string `json:"auth_type,omitempty"`
	AuthPass string `json:"auth_pass,omitempty"`

	// Source is unicast_src_ip or mcast_src_ip; not valid where neither is set.
	Source      netip.Addr    `json:"source,omitzero"`
	TrackSource bool          `json:"track_source,omitempty"`
	Group       netip.Addr    `json:"group"`
	Peers       []UnicastPeer `json:"peers,omitempty"`
	CheckSource bool          `json:"check_source,omitempty"`
	// UnicastTTL is the TTL of unicast adverts; 0 is the kernel's default.
	UnicastTTL int `json:"unicast_ttl,omitempty"`

	Addresses []Address `json:"addresses,omitempty"`
	Excluded  []Address `json:"excluded,omitempty"`

	// TrackPrimary is false for dont_track_primary.
	TrackPrimary    bool    `json:"track_primary"`
	TrackScripts    []Track `json:"track_scripts,omitempty"`
	TrackInterfaces []Track `json:"track_interfaces,omitempty"`

	GARP                 GARP `json:"garp"`
	LowerPrioNoAdvert    bool `json:"lower_prio_no_advert,omitempty"`
	HigherPrioSendAdvert bool `json:"higher_prio_send_advert,omitempty"`
	OwnerIgnoreAdverts   bool `json:"owner_ignore_adverts,omitempty"`
	SkipCheckAddresses   bool `json:"skip_check_addresses,omitempty"`
	ChecksumV2Style      bool `json:"checksum_v2_style,omitempty"`
	PromoteSecondaries   bool `json:"promote_secondaries,omitempty"`

	Notify Notify `json:"notify"`
	// SMTPAlert sends e-mail at each change, false where Global.Mail allows none;
	// NotifyPriorityChanges writes changes of priority to the FIFOs.
	SMTPAlert             bool `json:"smtp_alert,omitempty"`
	NotifyPriorityChanges bool `json:"notify_priority_changes,omitempty"`

	TrackFiles     []Track `json:"track_files,omitempty"`
	TrackProcesses []Track `json:"track_processes,omitempty"`
	TrackBFD       []Track `json:"track_bfd,omitempty"`
	Routes         []Route `json:"routes,omitempty"`
	Rules          []Rule  `json:"rules,omitempty"`
	// VMAC and IPVLAN are the interface to make for the instance; nil is none.
	VMAC   *VMAC   `json:"vmac,omitempty"`
	IPVLAN *IPVLAN `json:"ipvlan,omitempty"`
	// VMACAddresses makes VMACs for addresses on other interfaces as well
	// (use_vmac_addr); XmitBase sends adverts by the base interface.
	VMACAddresses bool      `json:"vmac_addresses,omitempty"`
	XmitBase      bool      `json:"xmit_base,omitempty"`
	ExtraGARP     ExtraGARP `json:"extra_garp,omitzero"`
	// HMAC is auth_hmac; nil is none.
	HMAC *HMAC `json:"hmac,omitempty"`
	// VRF is that of unicast without an interface.
	VRF string `json:"vrf,omitempty"`
	// FaultWithoutPeer is that the instance stays in FAULT, because it asks for
	// unicast without a peer and has unicast_fault_no_peer.
	FaultWithoutPeer bool `json:"fault_without_peer,omitempty"`
	// OldUnicastChecksum is "on", "never" or, where it follows what is heard,
	// empty.
	OldUnicastChecksum string `json:"old_unicast_checksum,omitempty"`
	// TimerExpiredBackup is the priority up to which a master that has been kept
	// from running for too long yields; 0 is none.
	TimerExpiredBackup int `json:"timer_expired_backup,omitempty"`
	// Takeover, Damping and PeersFrom are tandem's own; nil is none.
	Takeover  *Takeover  `json:"takeover,omitempty"`
	Damping   *Damping   `json:"damping,omitempty"`
	PeersFrom *PeersFrom `json:"peers_from,omitempty"`
	// ReceiveBuffer is kernel_rx_buf_size in bytes, 0 for the system's; Debug
	// is a number without effect.
	ReceiveBuffer int `json:"receive_buffer,omitempty"`
	Debug         int `json:"debug,omitempty"`
}

// UnicastPeer is one line of unicast_peer.
type UnicastPeer struct {
	Addr netip.Addr `json:"addr"`
	// MinTTL and MaxTTL, 0 and 255 unless given, bound the TTL of its adverts.
	MinTTL int `json:"min_ttl,omitempty"`
	MaxTTL int `json:"max_ttl,omitempty"`
}

// GARP is the set of garp_* settings of an instance, global defaults resolved.
type GARP struct {
	Delay           time.Duration `json:"delay,omitempty"`
	Repeat          int           `json:"repeat"`
	Refresh         time.Duration `json:"refresh,omitempty"`
	RefreshRepeat   int           `json:"refresh_repeat"`
	LowerPrioDelay  time.Duration `json:"lower_prio_delay,omitempty"`
	LowerPrioRepeat int           `json:"lower_prio_repeat,omitempty"`
}

// Address is one line of virtual_ipaddress or virtual_ipaddress_excluded.
type Address struct {
	Pos Pos `json:"-"`
	// Prefix is the address with its prefix length, /32 or /128 unless given.
	Prefix netip.Prefix `json:"prefix"`
	// Interface is dev, or the instance's interface.
	Interface string `json:"interface"`
	Label     string `json:"label,omitempty"`
	// Scope is the kernel's number: 0 global, 200 site, 253 link, 254 host.
	Scope int `json:"scope,omitempty"`
	// Broadcast is brd; BroadcastAuto is "brd +".
	Broadcast netip.Addr `json:"broadcast,omitzero"`
	// Peer is the far end of a point-to-point address.
	Peer netip.Prefix `json:"peer,omitzero"`
	// NoDAD is set for IPv6 unless -nodad is given.
	NoDAD bool `json:"nodad,omitempty"`
	// Deprecated gives an IPv6 address a preferred lifetime of 0.
	Deprecated bool `json:"deprecated,omitempty"`
	// Flags are further IFA_F_* bits of the address's options (home, mngtmpaddr,
	// noprefixroute).
	Flags uint32 `json:"flags,omitempty"`
	// NoTrack leaves the interface of the address out of the instance's tracking.
	NoTrack bool `json:"no_track,omitempty"`
	// PreferredLifetime bounds how long an IPv6 address is preferred; 0 is for
	// ever, unless it is Deprecated.
	PreferredLifetime time.Duration `json:"preferred_lifetime,omitempty"`
	// UseVMAC puts the address on an interface with the virtual MAC.
	UseVMAC bool `json:"use_vmac,omitempty"`
	// TrackGroup is the name of a Config.TrackGroups that a static address
	// follows.
	TrackGroup string `json:"track_group,omitempty"`
}

// VirtualServer is one IPVS service. A virtual_server for a group is expanded
// into one for each address of the group.
type VirtualServer struct {
	Pos Pos `json:"-"`
	// Name is how logs and scripts name it: "[192.0.2.10]:tcp:80", "FWM 3".
	Name string `json:"name"`
	// Group is "[GROUP]:N" for one of the services that a virtual_server for a
	// group was expanded into: what keepalived calls all of them together.
	Group string `json:"group,omitempty"`
	// Addr and Port, or FWMark with IPv6, identify it.
	Addr   netip.Addr `json:"addr,omitzero"`
	Port   uint16     `json:"port,omitempty"`
	FWMark uint32     `json:"fwmark,omitempty"`
	IPv6   bool       `json:"ipv6,omitempty"`
	// Protocol is "TCP", "UDP" or "SCTP", for a mark perhaps empty.
	Protocol  string `json:"protocol"`
	Scheduler string `json:"scheduler"`
	// SchedulerFlags are IP_VS_SVC_F_SCHED1 to _SCHED3 and _ONEPACKET.
	SchedulerFlags uint32     `json:"scheduler_flags,omitempty"`
	Forwarding     Forwarding `json:"forwarding"`
	// PersistenceTimeout is zero without persistence, else whole seconds.
	PersistenceTimeout time.Duration `json:"persistence_timeout,omitempty"`
	// PersistenceNetmask is a prefix length.
	PersistenceNetmask int      `json:"persistence_netmask"`
	PersistenceEngine  string   `json:"persistence_engine,omitempty"`
	Quorum             int      `json:"quorum"`
	Hysteresis         int      `json:"hysteresis,omitempty"`
	QuorumUp           *Command `json:"quorum_up,omitempty"`
	QuorumDown         *Command `json:"quorum_down,omitempty"`
	// Omega runs the down notifications at a stop as well.
	Omega       bool          `json:"omega,omitempty"`
	RealServers []*RealServer `json:"real_servers"`
	Sorry       *SorryServer  `json:"sorry,omitempty"`
	// FollowInstance is tandem's follow_instance: in IPVS only while this node
	// is master of that instance.
	FollowInstance string `json:"follow_instance,omitempty"`
	// HASuspend checks only while the address is on this host.
	HASuspend bool `json:"ha_suspend,omitempty"`
	// SMTPAlert sends e-mail when the quorum is gained or lost.
	SMTPAlert bool `json:"smtp_alert,omitempty"`
	// SNMPName names the service in SNMP.
	SNMPName string `json:"snmp_name,omitempty"`
}

// Forwarding is lvs_method with its tunnel options.
type Forwarding struct {
	// Method is "NAT", "DR" or "TUN".
	Method string `json:"method"`
	// TunnelType is "", "ipip", "gue" or "gre"; Checksum is "", "csum",
	// "nocsum" or "remcsum".
	TunnelType string `json:"tunnel_type,omitempty"`
	TunnelPort uint16 `json:"tunnel_port,omitempty"`
	Checksum   string `json:"checksum,omitempty"`
}

// SorryServer is sorry_server with its own settings.
type SorryServer struct {
	Pos        Pos        `json:"-"`
	Addr       netip.Addr `json:"addr"`
	Port       uint16     `json:"port"`
	Forwarding Forwarding `json:"forwarding"`
	Inhibit    bool       `json:"inhibit,omitempty"`
}

// Checked is the name under which the servers of the service are checked, gain
// and lose the quorum and are told of: its own, or that of its group, whose
// services share their servers.
func (v *VirtualServer) Checked() string {
	if v.Group != "" {
		return v.Group
	}
	return v.Name
}

// RealServer is a block real_server, defaults resolved from its virtual server.
type RealServer struct {
	Pos Pos `json:"-"`
	// Block is the address and port of the block itself, by which a server of a
	// group is checked and named whatever port each of the services gives it.
	Block            netip.AddrPort `json:"-"`
	Addr             netip.Addr     `json:"addr"`
	Port             uint16         `json:"port"`
	Weight           int            `json:"weight"`
	Forwarding       Forwarding     `json:"forwarding"`
	UpperThreshold   uint32         `json:"upper_threshold,omitempty"`
	LowerThreshold   uint32         `json:"lower_threshold,omitempty"`
	InhibitOnFailure bool           `json:"inhibit_on_failure,omitempty"`
	NotifyUp         *Command       `json:"notify_up,omitempty"`
	NotifyDown       *Command       `json:"notify_down,omitempty"`
	Checks           []*Check       `json:"checks,omitempty"`
	// Dormant are checks of kinds that the keyword table calls not honoured:
	// read like the others, and not to be run.
	Dormant []*Check `json:"dormant_checks,omitempty"`
	// SMTPAlert sends e-mail when the server comes or goes.
	SMTPAlert bool `json:"smtp_alert,omitempty"`
	// SNMPName names the server in SNMP.
	SNMPName string `json:"snmp_name,omitempty"`
}

// Checked is the address and port by which the server is checked and named.
func (r *RealServer) Checked() netip.AddrPort {
	if r.Block.IsValid() {
		return r.Block
	}
	return netip.AddrPortFrom(r.Addr, r.Port)
}

// Check is one check block of a real server, defaults resolved.
type Check struct {
	Pos Pos `json:"-"`
	// Kind is the block's keyword: TCP_CHECK, HTTP_GET.
	Kind             string        `json:"kind"`
	Interval         time.Duration `json:"interval"`
	Retries          int           `json:"retries"`
	DelayBeforeRetry time.Duration `json:"delay_before_retry"`
	Warmup           time.Duration `json:"warmup"`
	Alpha            bool          `json:"alpha,omitempty"`
	LogAllFailures   bool          `json:"log_all_failures,omitempty"`
	// Connect says where and from where a check connects that does: TCP_CHECK,
	// HTTP_GET, SSL_GET, SMTP_CHECK, DNS_CHECK, UDP_CHECK and PING_CHECK, which
	// uses neither port.
	Connect Connect `json:"connect,omitzero"`
	// HTTP is set for HTTP_GET and SSL_GET.
	HTTP *HTTPCheck `json:"http,omitempty"`
	// Misc is set for MISC_CHECK.
	Misc *MiscCheck `json:"misc,omitempty"`
	// SMTP, DNS, UDP, File and BFD are set for the kind of that name.
	SMTP *SMTPCheck `json:"smtp,omitempty"`
	DNS  *DNSCheck  `json:"dns,omitempty"`
	UDP  *UDPCheck  `json:"udp,omitempty"`
	File *FileCheck `json:"file,omitempty"`
	BFD  *BFDCheck  `json:"bfd,omitempty"`
	// GRPC and Expect are set for tandem's GRPC_CHECK and TCP_EXPECT.
	GRPC   *GRPCCheck   `json:"grpc,omitempty"`
	Expect *ExpectCheck `json:"expect,omitempty"`
	// Certificate is what is asked of the server's, nil for nothing.
	Certificate *Certificate `json:"certificate,omitempty"`
}

// Connect is where and how a check connects.
type Connect struct {
	Addr netip.Addr `json:"addr"`
	Port uint16     `json:"port"`
	// BindAddr, BindPort and BindInterface are the near end, each optional.
	BindAddr      netip.Addr    `json:"bind_addr,omitzero"`
	BindPort      uint16        `json:"bind_port,omitempty"`
	BindInterface string        `json:"bind_interface,omitempty"`
	FWMark        uint32        `json:"fwmark,omitempty"`
	Timeout       time.Duration `json:"timeout"`
}

// HTTPCheck is the part of HTTP_GET and SSL_GET above the connection.
type HTTPCheck struct {
	// Protocol is "1.0", "1.0C" (with Connection: close) or "1.1".
	Protocol string `json:"protocol"`
	// SNI is the server name sent, empty for none.
	EnableSNI    bool   `json:"enable_sni,omitempty"`
	SNIName      string `json:"sni_name,omitempty"`
	FastRecovery bool   `json:"fast_recovery,omitempty"`
	URLs         []URL  `json:"urls"`
	// Compliant ends TLS in both directions.
	Compliant bool `json:"tls_compliant,omitempty"`
}

// URL is one url block.
type URL struct {
	Pos  Pos    `json:"-"`
	Path string `json:"path"`
	// Host is the Host header, resolved over url, check, real and virtual
	// server; empty for the address and port.
	Host string `json:"host,omitempty"`
	// ServerName is the name in the TLS handshake of SSL_GET, resolved over
	// sni_name, url, check and virtual server; empty for none.
	ServerName string `json:"server_name,omitempty"`
	// Digest is the MD5 of the body in 32 hex digits, empty for any.
	Digest string `json:"digest,omitempty"`
	// Status are the accepted status codes as closed ranges.
	Status []StatusRange `json:"status"`
	// Regex is what the body is searched for, nil for nothing.
	Regex *Regex `json:"regex,omitempty"`
	// Request is what tandem's own keywords make of the request, nil for
	// keepalived's.
	Request *Request `json:"request,omitempty"`
	// Compliant ends TLS in both directions.
	Compliant bool `json:"tls_compliant,omitempty"`
}

// StatusRange is a closed range of HTTP status codes.
type StatusRange struct {
	First int `json:"first"`
	Last  int `json:"last"`
}

// MiscCheck is the part of MISC_CHECK.
type MiscCheck struct {
	Command Command       `json:"command"`
	Timeout time.Duration `json:"timeout"`
	Dynamic bool          `json:"dynamic,omitempty"`
	// Missing is true of a script that is not there or cannot be executed, where
	// the check is an alpha check: without its success the server never comes up.
	Missing bool `json:"missing,omitempty"`
}
