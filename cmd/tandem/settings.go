package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/tandem-ha/tandem/internal/logging"
)

// The defaults of keepalived's files.
const (
	defaultConfig = "/etc/keepalived/keepalived.conf"
	defaultUmask  = 0o177
	pidFolder     = "/run"
)

// settings are what the command line and the environment say about a run.
type settings struct {
	configFile string
	configID   string
	vrrp       bool
	checkers   bool
	bfd        bool
	keepVIPs   bool
	keepIPVS   bool

	foreground bool
	console    bool
	detail     int
	syslog     bool
	facility   logging.Facility
	dumpConfig bool
	umask      int
	// umaskGiven is whether the command line said so, or else the configuration may.
	umaskGiven bool
	coreDump   bool

	pidFile, vrrpPID, checkersPID, bfdPID string

	namespace    string
	ignoreSigint bool
	test         bool
	testLog      string

	places
}

// places are where an agent keeps its files; empty means the default.
type places struct {
	runDir, stateDir, socket string
}

// newSettings are keepalived's defaults.
func newSettings() settings {
	return settings{
		configFile: defaultConfig,
		vrrp:       true,
		checkers:   true,
		bfd:        true,
		syslog:     true,
		facility:   logging.Daemon,
		umask:      defaultUmask,
	}
}

// resolve fills in what was left open: the environment first, then the
// defaults, which an agent in a namespace of its own has for itself.
func (w places) resolve(getenv func(string) string, namespace string) places {
	pick := func(value, variable, fallback string) string {
		if value == "" {
			value = getenv(variable)
		}
		if value == "" {
			value = fallback
		}
		return value
	}
	w.runDir = pick(w.runDir, "TANDEM_RUN", filepath.Join("/run/tandem", namespace))
	w.stateDir = pick(w.stateDir, "TANDEM_STATE", filepath.Join("/var/lib/tandem", namespace))
	w.socket = pick(w.socket, "TANDEM_SOCKET", filepath.Join(w.runDir, "tandem.sock"))
	return w
}

// finish resolves the places and makes every path absolute, because a daemon's
// working folder is the root.
func (s *settings) finish(getenv func(string) string) error {
	s.places = s.resolve(getenv, s.namespace)
	folder := pidFolder
	if s.namespace != "" {
		// Where keepalived's are to be found from outside the namespace.
		folder = filepath.Join(pidFolder, "keepalived", s.namespace)
	}
	for path, name := range map[*string]string{
		&s.pidFile: "keepalived.pid", &s.vrrpPID: "vrrp.pid", &s.checkersPID: "checkers.pid", &s.bfdPID: "bfd.pid",
	} {
		if *path == "" {
			*path = filepath.Join(folder, name)
		}
	}
	for _, path := range []*string{&s.configFile, &s.runDir, &s.stateDir, &s.socket, &s.pidFile, &s.vrrpPID, &s.checkersPID, &s.bfdPID} {
		abs, err := filepath.Abs(*path)
		if err != nil {
			return fmt.Errorf("path %s: %w", *path, err)
		}
		*path = abs
	}
	return nil
}

// fixedUmask is the umask of the command line, nil where it gives none.
func (s *settings) fixedUmask() *int {
	if !s.umaskGiven {
		return nil
	}
	return &s.umask
}

// parseUmask reads a mask as C does: 0177 is octal, 0x7f hexadecimal.
func parseUmask(text string) (int, error) {
	n, err := strconv.ParseUint(text, 0, 32)
	if err != nil || n > 0o777 {
		return 0, fmt.Errorf("invalid --umask option %s", text)
	}
	return int(n), nil
}

// makeFolders makes the folders that the agent writes to. Their mode is set
// for itself, because the daemon's umask is narrow.
func (s *settings) makeFolders() error {
	// The state folder is not here: an agent can do without, and says so.
	folders := []string{s.runDir, filepath.Dir(s.socket)}
	if s.namespace != "" {
		// /run is always there, a folder below it is not.
		folders = append(folders, filepath.Dir(s.pidFile))
	}
	for _, dir := range folders {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			continue
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make the folder: %w", err)
		}
	}
	return nil
}
