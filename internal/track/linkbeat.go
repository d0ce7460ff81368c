package track

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// BeatConfig is one interface whose link is polled.
type BeatConfig struct {
	Interface string
	// Method is tried first: "MII", "ETHTOOL", "IOCTL" or "" for that order. One
	// that the interface does not support gives way to the next.
	Method string
}

// Beat says whether an interface that is polled has its link.
type Beat struct {
	Interface string
	Up        bool
}

// Linkbeat polls the links of interfaces. Its methods are safe for use by several
// goroutines.
type Linkbeat struct {
	ask     func(BeatConfig) (bool, error)
	handler func(Beat)
	kick    chan struct{}

	mu      sync.Mutex
	configs []BeatConfig
	told    map[string]bool
}

// beatDelay is the time between two questions.
const beatDelay = time.Second

// NewLinkbeat returns a Linkbeat that polls what Apply names once Run is called.
// The handler gets what is found first and each change, from Run's goroutine; it
// must not block.
func NewLinkbeat(handler func(Beat)) *Linkbeat {
	return &Linkbeat{ask: askLink, handler: handler, kick: make(chan struct{}, 1), told: map[string]bool{}}
}

// Apply makes these the interfaces that are polled.
func (l *Linkbeat) Apply(configs []BeatConfig) {
	l.mu.Lock()
	l.configs = configs
	clear(l.told)
	l.mu.Unlock()
	l.Hurry()
}

// Hurry asks at once, since something may have changed.
func (l *Linkbeat) Hurry() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// Run polls until ctx is done, and returns ctx's error.
func (l *Linkbeat) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		wait := time.Hour
		if l.round() {
			wait = beatDelay
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
		case <-l.kick:
		case <-timer.C:
		}
	}
	return ctx.Err()
}

// round asks once for every interface, and returns whether there are any.
func (l *Linkbeat) round() bool {
	l.mu.Lock()
	configs := l.configs
	l.mu.Unlock()
	for _, c := range configs {
		// An interface that cannot be asked is not there.
		up, err := l.ask(c)
		up = up && err == nil
		l.mu.Lock()
		was, told := l.told[c.Interface]
		l.told[c.Interface] = up
		l.mu.Unlock()
		if !told || was != up {
			l.handler(Beat{Interface: c.Interface, Up: up})
		}
	}
	return len(configs) > 0
}

// The requests of include/uapi/linux/sockios.h, ethtool.h and mii.h.
const (
	ethtoolGetLink = 0x0000000a
	miiStatus      = 0x01
	miiLinkStatus  = 0x0004
)

// request is struct ifreq with a union of 24 bytes.
type request struct {
	name [unix.IFNAMSIZ]byte
	data [24]byte
}

// askLink asks an interface for its link; one that is administratively down has
// none.
func askLink(c BeatConfig) (bool, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false, fmt.Errorf("linkbeat of %s: %w", c.Interface, err)
	}
	defer unix.Close(fd)
	flags, err := unix.NewIfreq(c.Interface)
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, flags)
	}
	if err != nil {
		return false, fmt.Errorf("linkbeat of %s: %w", c.Interface, err)
	}
	if flags.Uint16()&unix.IFF_UP == 0 {
		return false, nil
	}
	running := func() (bool, error) { return flags.Uint16()&unix.IFF_RUNNING != 0, nil }
	return firstAnswer(c.Method, map[string]func() (bool, error){
		"MII":     func() (bool, error) { return askMII(fd, c.Interface) },
		"ETHTOOL": func() (bool, error) { return askEthtool(fd, c.Interface) },
		"IOCTL":   running,
	})
}

// firstAnswer asks by the preferred method, then by the others in their order.
func firstAnswer(prefer string, methods map[string]func() (bool, error)) (bool, error) {
	var errs []error
	for _, m := range []string{prefer, "MII", "ETHTOOL", "IOCTL"} {
		ask := methods[m]
		if ask == nil {
			continue
		}
		up, err := ask()
		if err == nil {
			return up, nil
		}
		errs = append(errs, err)
	}
	return false, errors.Join(errs...)
}

// askMII reads the status register of the interface's PHY. The register latches a
// loss until it is read, so that a flap between two questions is seen once.
func askMII(fd int, name string) (bool, error) {
	var r request
	copy(r.name[:unix.IFNAMSIZ-1], name)
	if err := ioctl(fd, unix.SIOCGMIIPHY, unsafe.Pointer(&r)); err != nil {
		return false, fmt.Errorf("MII of %s: %w", name, err)
	}
	// struct mii_ioctl_data: phy_id, reg_num, val_in, val_out of 16 bits each.
	reg := (*[4]uint16)(unsafe.Pointer(&r.data))
	reg[1] = miiStatus
	if err := ioctl(fd, unix.SIOCGMIIREG, unsafe.Pointer(&r)); err != nil {
		return false, fmt.Errorf("MII of %s: %w", name, err)
	}
	return reg[3]&miiLinkStatus != 0, nil
}

// askEthtool asks the driver.
func askEthtool(fd int, name string) (bool, error) {
	value := [2]uint32{ethtoolGetLink}
	r := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}{data: unsafe.Pointer(&value)}
	copy(r.name[:unix.IFNAMSIZ-1], name)
	if err := ioctl(fd, unix.SIOCETHTOOL, unsafe.Pointer(&r)); err != nil {
		return false, fmt.Errorf("ethtool of %s: %w", name, err)
	}
	return value[1] != 0, nil
}

func ioctl(fd int, number uintptr, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), number, uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}
