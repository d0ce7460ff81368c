package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/tandem-ha/tandem/config"
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
	// sessions is whether the file has BFD sessions.
	sessions bool

	namespace string
	// instance is the name of this process among several on the host, and pidDir
	// whether the pid files are in a folder of their own.
	instance string
	pidDir   bool

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
// defaults, which an agent with a name or a namespace of its own has for itself.
func (w places) resolve(getenv func(string) string, own string) places {
	pick := func(value, variable, fallback string) string {
		if value == "" {
			value = getenv(variable)
		}
		if value == "" {
			value = fallback
		}
		return value
	}
	w.runDir = pick(w.runDir, "TANDEM_RUN", filepath.Join("/run/tandem", own))
	w.stateDir = pick(w.stateDir, "TANDEM_STATE", filepath.Join("/var/lib/tandem", own))
	w.socket = pick(w.socket, "TANDEM_SOCKET", filepath.Join(w.runDir, "tandem.sock"))
	return w
}

// take completes what the command line says of the process by what the file says.
func (s *settings) take(c *config.Config) {
	s.namespace = cmp.Or(s.namespace, c.Process.NetNamespace)
	s.instance, s.pidDir = c.Process.Instance, c.Process.PIDFolder || s.namespace != ""
	s.sessions = len(c.BFD) > 0
}

// pidFiles are those of the processes of keepalived that this one stands for, so that
// one with -P and one with -C can run side by side.
func (s *settings) pidFiles() []string {
	paths := []string{s.pidFile}
	if s.vrrp {
		paths = append(paths, s.vrrpPID)
	}
	if s.checkers {
		paths = append(paths, s.checkersPID)
	}
	if s.bfd && s.sessions {
		paths = append(paths, s.bfdPID)
	}
	return paths
}

// pidName is the name of a pid file, which an instance has for itself.
func (s *settings) pidName(stem string) string {
	if s.instance != "" {
		stem += "_" + s.instance
	}
	return stem + ".pid"
}

// finish resolves the places and makes every path absolute, because a daemon's
// working folder is the root.
func (s *settings) finish(getenv func(string) string) error {
	s.places = s.resolve(getenv, filepath.Join(s.namespace, s.instance))
	folder := pidFolder
	if s.pidDir {
		// With a namespace that is where keepalived's are to be found from outside.
		folder = filepath.Join(pidFolder, "keepalived", s.namespace)
	}
	for path, stem := range map[*string]string{
		&s.pidFile: "keepalived", &s.vrrpPID: "vrrp", &s.checkersPID: "checkers", &s.bfdPID: "bfd",
	} {
		if *path == "" {
			*path = filepath.Join(folder, s.pidName(stem))
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
	if s.pidDir {
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
