package script

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tandem-ha/tandem/health"
)

// orphanMaker is the variable that makes the test binary run the script that it
// names instead of tests, to be killed while it does.
const orphanMaker = "TANDEM_TEST_ORPHAN_MAKER"

func TestMain(m *testing.M) {
	if path := os.Getenv(orphanMaker); path != "" {
		status, _ := new(Runner).Run(context.Background(), own(path))
		os.Exit(status)
	}
	goleak.VerifyTestMain(m)
}

// own is a script that runs as us.
func own(args ...string) health.Script { return health.Script{Args: args, UID: -1, GID: -1} }

// write writes an executable file into a folder that everybody can read.
func write(t *testing.T, name, text string) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, name)
	// A process that is forked meanwhile would have it open, and so busy.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// eventually waits until condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !condition(); {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// readPID waits for a file to hold a whole line with a process id.
func readPID(t *testing.T, path string) int {
	t.Helper()
	var pid int
	eventually(t, "a process id in "+path, func() bool {
		b, err := os.ReadFile(path)
		if err != nil || !strings.HasSuffix(string(b), "\n") {
			return false
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(b)))
		return err == nil
	})
	return pid
}

// alive says whether a process runs; one that nobody has reaped does not.
func alive(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}
