package ipvs

// The generic netlink family "IPVS", as include/uapi/linux/ip_vs.h numbers it.
const (
	familyName    = "IPVS"
	familyVersion = 1
)

// Commands, IPVS_CMD_*.
const (
	cmdNewService = 1
	cmdSetService = 2
	cmdDelService = 3
	cmdGetService = 4
	cmdNewDest    = 5
	cmdSetDest    = 6
	cmdDelDest    = 7
	cmdGetDest    = 8
	cmdNewDaemon  = 9
	cmdDelDaemon  = 10
	cmdGetDaemon  = 11
	cmdSetConfig  = 12
	cmdGetConfig  = 13
	cmdGetInfo    = 15
	cmdZero       = 16
	cmdFlush      = 17
)

// Attributes of a command, IPVS_CMD_ATTR_*.
const (
	attrService       = 1
	attrDest          = 2
	attrDaemon        = 3
	attrTimeoutTCP    = 4
	attrTimeoutTCPFin = 5
	attrTimeoutUDP    = 6
)

// Attributes of a service, IPVS_SVC_ATTR_*.
const (
	svcAF        = 1
	svcProtocol  = 2
	svcAddr      = 3
	svcPort      = 4
	svcFWMark    = 5
	svcScheduler = 6
	svcFlags     = 7
	svcTimeout   = 8
	svcNetmask   = 9
	svcStats     = 10
	svcEngine    = 11
	svcStats64   = 12
)

// Attributes of a destination, IPVS_DEST_ATTR_*.
const (
	destAddr         = 1
	destPort         = 2
	destForward      = 3
	destWeight       = 4
	destUpper        = 5
	destLower        = 6
	destActive       = 7
	destInactive     = 8
	destPersistent   = 9
	destStats        = 10
	destAF           = 11
	destStats64      = 12
	destTunnelType   = 13
	destTunnelPort   = 14
	destTunnelFlags  = 15
	destForwardMask  = 7          // IP_VS_CONN_F_FWD_MASK
	maxWeight        = 1<<31 - 1  // the kernel keeps an int
	serviceHashed    = 0x2        // IP_VS_SVC_F_HASHED: the kernel's own
	everyServiceFlag = ^uint32(0) // the mask that is sent with the flags
)

// Attributes of a sync daemon, IPVS_DAEMON_ATTR_*.
const (
	daemonState     = 1
	daemonInterface = 2
	daemonSyncID    = 3
	daemonMaxLen    = 4
	daemonGroup     = 5
	daemonGroup6    = 6
	daemonPort      = 7
	daemonTTL       = 8
)

// Attributes of the counters, IPVS_STATS_ATTR_*.
const (
	statsConns       = 1
	statsInPackets   = 2
	statsOutPackets  = 3
	statsInBytes     = 4
	statsOutBytes    = 5
	statsConnRate    = 6
	statsInPktRate   = 7
	statsOutPktRate  = 8
	statsInByteRate  = 9
	statsOutByteRate = 10
)

// Attributes of the general information, IPVS_INFO_ATTR_*.
const (
	infoVersion       = 1
	infoConnTableSize = 2
)
