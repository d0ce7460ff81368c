package dump

import (
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/vrrp"
)

// Counts are an instance's counters as keepalived has them, which knows fewer
// reasons for a packet's being dropped. The names are those of its JSON.
type Counts struct {
	Received             uint64 `json:"advert_rcvd"`
	Sent                 uint64 `json:"advert_sent"`
	Became               uint64 `json:"become_master"`
	Released             uint64 `json:"release_master"`
	Length               uint64 `json:"packet_len_err"`
	Interval             uint64 `json:"advert_interval_err"`
	TTL                  uint64 `json:"ip_ttl_err"`
	Type                 uint64 `json:"invalid_type_rcvd"`
	AddressList          uint64 `json:"addr_list_err"`
	AuthType             uint64 `json:"invalid_authtype"`
	AuthMismatch         uint64 `json:"authtype_mismatch"`
	AuthFailure          uint64 `json:"auth_failure"`
	Missing              uint64 `json:"auth_ext_missing"`
	Malformed            uint64 `json:"auth_ext_malformed"`
	UnknownKey           uint64 `json:"auth_ext_unknown_key"`
	InvalidHMAC          uint64 `json:"auth_ext_invalid_hmac"`
	Stale                uint64 `json:"auth_ext_stale"`
	Replay               uint64 `json:"auth_ext_replay"`
	PriorityZeroReceived uint64 `json:"pri_zero_rcvd"`
	PriorityZeroSent     uint64 `json:"pri_zero_sent"`
}

// CountsOf sorts an instance's counters into keepalived's.
func CountsOf(c control.Counters) Counts {
	dropped := func(reasons ...vrrp.Reason) (n uint64) {
		for _, r := range reasons {
			n += c.Dropped[r]
		}
		return n
	}
	return Counts{
		Received:             c.AdvertsReceived,
		Sent:                 c.AdvertsSent,
		Became:               c.BecameMaster,
		Released:             c.ReleasedMaster,
		Length:               dropped(vrrp.DropLength),
		Interval:             dropped(vrrp.DropInterval),
		TTL:                  dropped(vrrp.DropTTL, vrrp.DropUnicastTTL),
		Type:                 dropped(vrrp.DropType),
		AddressList:          dropped(vrrp.DropAddressCount),
		AuthType:             dropped(vrrp.DropAuthType),
		AuthMismatch:         dropped(vrrp.DropAuthMismatch),
		AuthFailure:          dropped(vrrp.DropAuthFailed, vrrp.DropAHReplayed),
		Missing:              dropped(vrrp.DropHMACMissing),
		Malformed:            dropped(vrrp.DropHMACMalformed),
		UnknownKey:           dropped(vrrp.DropHMACUnknownKey),
		InvalidHMAC:          dropped(vrrp.DropHMACInvalid),
		Stale:                dropped(vrrp.DropHMACStale),
		Replay:               dropped(vrrp.DropHMACReplayed),
		PriorityZeroReceived: c.PriorityZeroRcvd,
		PriorityZeroSent:     c.PriorityZeroSent,
	}
}
