package agent

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/internal/journal"
)

// overridesFile is where the overrides are in the state folder.
const overridesFile = "overrides"

// overrides are what operators have ordered, kept where it outlives a boot. It
// is safe for use by several goroutines.
type overrides struct {
	file host.StateFile
	mu   sync.Mutex
	now  desired.Overrides
}

// openOverrides reads what was ordered. The error says why that is not known;
// the overrides can be used all the same.
func openOverrides(dir string) (*overrides, error) {
	o := &overrides{file: host.NewStateFile(dir, overridesFile)}
	err := o.file.Load(&o.now)
	if err != nil {
		o.now = desired.Overrides{}
	}
	return o, err
}

func (o *overrides) get() desired.Overrides {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now
}

// change makes a change and saves it. Where it cannot be saved it counts all the
// same, and the warning says that a restart would not know of it.
func (o *overrides) change(change func(desired.Overrides) desired.Overrides) (now desired.Overrides, warning string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now = change(o.now)
	if err := o.file.Save(o.now); err != nil {
		warning = "a restart would not know of it: " + err.Error()
	}
	return o.now, warning
}

// ordered is an override by whoever asks.
func ordered(ctx context.Context, reason string) *desired.Override {
	by := "an unknown caller"
	if c, known := control.CallerOf(ctx); known {
		by = c.String()
	}
	return &desired.Override{Since: time.Now().Round(0), By: by, Reason: reason}
}

// warn tells of an order that a restart would not know of.
func (a *Agent) warn(warning string) string {
	if warning != "" {
		a.journal.Add(journal.Event{Kind: "override-not-saved", Level: journal.Warning, Text: warning})
	}
	return warning
}

// LogLevel is how much is logged.
func (a *Agent) LogLevel() control.LogLevel { return control.LogLevel(a.opts.Levels.Get()) }

// SetLogLevel changes how much is logged until the process ends.
func (a *Agent) SetLogLevel(l control.LogLevel) control.LogLevel {
	return control.LogLevel(a.opts.Levels.Set(string(l)))
}

// named says whether a virtual server is meant by a name: the one in logs, or its
// address and port as people write them.
func named(vs *config.VirtualServer, name string) bool {
	key := desired.ServiceKey(vs)
	if strings.EqualFold(vs.Name, name) || key.FWMark != 0 && name == fmt.Sprintf("fwmark:%d", key.FWMark) {
		return true
	}
	at, err := control.ParseServer(name)
	return err == nil && key.FWMark == 0 && at.Addr() == key.Addr && (at.Port() == 0 || at.Port() == key.Port)
}
