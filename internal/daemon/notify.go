package daemon

import (
	"fmt"
	"net"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Notifier tells the service manager how the daemon does (sd_notify(3)). The
// zero value, and one made where no service manager listens, does nothing.
type Notifier struct {
	address string
}

// NewNotifier returns a notifier for the socket that NOTIFY_SOCKET names, as
// getenv has it.
func NewNotifier(getenv func(string) string) Notifier {
	address := getenv("NOTIFY_SOCKET")
	// systemd.exec(5): an absolute path, or an abstract name behind an @.
	if !strings.HasPrefix(address, "/") && !strings.HasPrefix(address, "@") {
		return Notifier{}
	}
	return Notifier{address: address}
}

// Ready says that the daemon runs, or that a reload has ended. The status is a
// line for people.
func (n Notifier) Ready(status string) error {
	return n.send("READY=1", fmt.Sprintf("MAINPID=%d", os.Getpid()), "STATUS="+status)
}

// Reloading says that a reload has begun; Ready ends it. Type=notify-reload
// wants the moment with it.
func (n Notifier) Reloading() error {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return fmt.Errorf("service manager: read the clock: %w", err)
	}
	return n.send("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", t.Nano()/1000), "STATUS=Reloading the configuration")
}

// Stopping says that the daemon has begun to stop.
func (n Notifier) Stopping() error {
	return n.send("STOPPING=1", "STATUS=Stopping")
}

// Failed tells why the daemon ends.
func (n Notifier) Failed(status string) error {
	return n.send("STATUS=" + status)
}

// send sends the assignments as one datagram.
func (n Notifier) send(assignments ...string) error {
	if n.address == "" {
		return nil
	}
	for i, a := range assignments {
		// A line break would begin another assignment.
		assignments[i] = strings.ReplaceAll(a, "\n", " ")
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.address, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("service manager: %w", err)
	}
	defer c.Close()
	if _, err := c.Write([]byte(strings.Join(assignments, "\n"))); err != nil {
		return fmt.Errorf("service manager: %w", err)
	}
	return nil
}
