package ipvs

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestExplain: what the kernel says by a number alone is told in words that lead on,
// and stays the error that it is.
func TestExplain(t *testing.T) {
	service := Change{Op: AddService, Service: Service{Scheduler: "mh", Engine: "sip"}}
	four := Change{Op: AddDestination, Destination: Destination{DestinationKey: DestinationKey{Addr: netip.MustParseAddr("10.0.0.1")}}}
	six := Change{Op: AddDestination, Destination: Destination{DestinationKey: DestinationKey{Addr: netip.MustParseAddr("2001:db8::1")}}}
	for _, c := range []struct {
		change Change
		err    error
		want   string
		is     error
	}{
		{service, unix.EPERM, "CAP_NET_ADMIN", unix.EPERM},
		{service, unix.ENOENT, "modprobe ip_vs_mh", unix.ENOENT},
		{service, unix.ENOENT, "modprobe ip_vs_pe_sip", unix.ENOENT},
		{four, unix.ENOENT, "destination is", ErrGone},
		{four, unix.ESRCH, "service is", ErrGone},
		{service, unix.EAFNOSUPPORT, "CONFIG_IP_VS_IPV6", unix.EAFNOSUPPORT},
		{service, unix.EPROTONOSUPPORT, "does not balance this protocol", unix.EPROTONOSUPPORT},
		{four, unix.ERANGE, "at most 2147483647", unix.ERANGE},
		{service, unix.EINVAL, "check netmask", unix.EINVAL},
		{six, unix.EINVAL, "other address family", unix.EINVAL},
		{four, unix.EINVAL, "local or unicast", unix.EINVAL},
		{four, unix.ENOBUFS, "out of memory", unix.ENOBUFS},
		{four, unix.EIO, unix.EIO.Error(), unix.EIO},
	} {
		if got := explain(c.change, c.err); !errors.Is(got, c.is) || !strings.Contains(got.Error(), c.want) {
			t.Errorf("%v: %v: %v, want %q", c.change, c.err, got, c.want)
		}
	}
}
