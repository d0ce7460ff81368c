package script

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/user"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/health"
)

// Runner runs scripts and remembers the supplementary groups of their users, so
// that a directory service that does not answer delays no script but the first.
// The zero Runner is ready; its methods are safe for use by several goroutines.
type Runner struct {
	// Child is called with what starts a script, on the thread that starts it,
	// to give the script other scheduling than ours; nil calls it directly.
	Child func(start func() error) error
	// AllGroups gives a script of another user the supplementary groups of that
	// user (set_supplementary_groups); without it, it has the one group alone.
	AllGroups atomic.Bool

	// grace takes the place of keepalived's where it is not 0.
	grace time.Duration

	mu     sync.Mutex
	groups map[int][]uint32

	// starting is held for reading while a script is started: until then its
	// number is not among those that run.
	starting sync.RWMutex
	running  sync.Map // of process ids
}

// Waits says whether a process is a script that the Runner waits for.
func (r *Runner) Waits(pid int) bool {
	r.starting.Lock()
	defer r.starting.Unlock()
	_, ours := r.running.Load(pid)
	return ours
}

// Forget drops what the Runner remembers of users; a reload calls it.
func (r *Runner) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.groups = nil
}

// Run runs s to its end and returns its exit status; of a script that a signal
// ended the status is -1 and the error a *health.SignalError. It is a
// health.Exec.
//
// The script has a process group of its own, /dev/null for its standard files,
// no other file of ours, and our environment without IFS, LD_PRELOAD,
// LD_LIBRARY_PATH and NOTIFY_SOCKET. When ctx ends first, the whole group gets
// SIGTERM and, two seconds later, SIGKILL; Run returns ctx's error once the
// script is gone. A script that the kernel cannot end, because it waits for a
// dead disk, is waited for as long as it lasts: callers that must go on run Run
// in a goroutine, and do not start the same script again. If this process dies
// the script gets SIGTERM.
//
// A file that the kernel cannot execute, because it has no "#!" line, is given
// to /bin/sh. Where the script cannot be started the status is -1 and the error
// wraps the reason: fs.ErrNotExist, fs.ErrPermission or another errno.
func (r *Runner) Run(ctx context.Context, s health.Script) (status int, err error) {
	return r.RunEnv(ctx, s, nil)
}

// RunEnv is Run with further environment variables, each "NAME=value"; they
// take the place of ours of the same name.
func (r *Runner) RunEnv(ctx context.Context, s health.Script, env []string) (status int, err error) {
	if err := ctx.Err(); err != nil {
		return -1, err
	}
	if len(s.Args) == 0 {
		return -1, errors.New("run script: no command")
	}
	attr, err := r.attributes(s, env)
	if err != nil {
		return -1, fmt.Errorf("run script %s: %w", s.Args[0], err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return -1, fmt.Errorf("run script %s: %w", s.Args[0], err)
	}
	defer null.Close()
	attr.Files = []*os.File{null, null, null}
	// Whoever started us may have left us files that are not closed by
	// themselves; our own are. A kernel before 5.11 does not know how.
	_ = unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC)

	// The kernel sends the parent-death signal when the thread that forked
	// ends, not the process: this thread stays ours until the script is gone.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var p *os.Process
	child := func() (err error) {
		r.starting.RLock()
		defer r.starting.RUnlock()
		if p, err = start(s.Args, attr); err == nil {
			r.running.Store(p.Pid, true)
		}
		return err
	}
	if r.Child != nil {
		err = r.Child(child)
	} else {
		err = child()
	}
	if p == nil {
		return -1, fmt.Errorf("run script %s: %w", s.Args[0], err)
	}
	defer r.running.Delete(p.Pid)
	return wait(ctx, &group{id: p.Pid, grace: cmp.Or(r.grace, grace)}, p)
}

// start executes args, through /bin/sh where the kernel knows no way to.
func start(args []string, attr *os.ProcAttr) (*os.Process, error) {
	p, err := os.StartProcess(args[0], args, attr)
	if errors.Is(err, syscall.ENOEXEC) {
		return os.StartProcess("/bin/sh", append([]string{"/bin/sh"}, args...), attr)
	}
	return p, err
}

// attributes says how the script is to be started.
func (r *Runner) attributes(s health.Script, env []string) (*os.ProcAttr, error) {
	sys := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	uid, gid := s.UID, s.GID
	if uid < 0 {
		uid = os.Geteuid()
	}
	if gid < 0 {
		gid = os.Getegid()
	}
	if uid != os.Geteuid() || gid != os.Getegid() {
		sys.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if r.AllGroups.Load() {
			groups, err := r.supplementary(uid)
			if err != nil {
				return nil, err
			}
			sys.Credential.Groups = groups
		}
	}
	return &os.ProcAttr{Env: environment(os.Environ(), env), Sys: sys}, nil
}

// supplementary returns the supplementary groups of a user; one that has no
// name here has none.
func (r *Runner) supplementary(uid int) ([]uint32, error) {
	r.mu.Lock()
	groups, known := r.groups[uid]
	r.mu.Unlock()
	if known {
		return groups, nil
	}
	groups, err := lookUpGroups(uid)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.groups == nil {
		r.groups = make(map[int][]uint32)
	}
	r.groups[uid] = groups
	return groups, nil
}

func lookUpGroups(uid int) ([]uint32, error) {
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		if _, unknown := errors.AsType[user.UnknownUserIdError](err); unknown {
			return nil, nil
		}
		return nil, fmt.Errorf("groups of user %d: %w", uid, err)
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("groups of user %s: %w", u.Username, err)
	}
	groups := make([]uint32, 0, len(ids))
	for _, id := range ids {
		n, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("groups of user %s: %w", u.Username, err)
		}
		groups = append(groups, uint32(n))
	}
	return groups, nil
}

// environment is ours without what could change how a script runs, then extra.
func environment(ours, extra []string) []string {
	drop := map[string]bool{"IFS": true, "LD_PRELOAD": true, "LD_LIBRARY_PATH": true, "NOTIFY_SOCKET": true}
	for _, e := range extra {
		name, _, _ := strings.Cut(e, "=")
		drop[name] = true
	}
	env := make([]string, 0, len(ours)+len(extra))
	for _, e := range ours {
		if name, _, _ := strings.Cut(e, "="); !drop[name] {
			env = append(env, e)
		}
	}
	return append(env, extra...)
}

// wait waits for p to end, and ends it and its group g when ctx is done first.
func wait(ctx context.Context, g *group, p *os.Process) (int, error) {
	gone := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() { g.endWith(ctx, gone) })

	// Waiting without reaping first keeps the number of the group from being
	// given away while endWith may still send to it.
	err := awaitExit(p.Pid)
	g.leaderGone()
	close(gone)
	watcher.Wait()
	state, werr := p.Wait()
	if err = errors.Join(err, werr); err != nil {
		return -1, fmt.Errorf("wait for process %d: %w", p.Pid, err)
	}
	if !g.ended.IsZero() {
		g.endRest()
		return -1, ctx.Err()
	}
	ws, _ := state.Sys().(syscall.WaitStatus)
	if ws.Signaled() {
		return -1, &health.SignalError{Signal: int(ws.Signal())}
	}
	return ws.ExitStatus(), nil
}

func awaitExit(pid int) error {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
