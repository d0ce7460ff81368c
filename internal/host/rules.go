package host

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs/nlmsg"
)

// RuleTable is what *Rules does; hosttest has one in memory.
type RuleTable interface {
	Apply(changes []RuleChange) error
	Owned() ([]Rule, error)
	Present(want []Rule) ([]Rule, error)
	Close() error
}

var _ RuleTable = (*Rules)(nil)

// Rules puts routing rules into the kernel and takes them out, through one
// rtnetlink socket. It is safe for use by several goroutines.
type Rules struct {
	mu    sync.Mutex
	batch batch[RuleChange]
}

// RuleError is one change that the kernel refused.
type RuleError struct {
	Change RuleChange
	Err    error
}

// Error names the change and the kernel's reason.
func (e *RuleError) Error() string { return fmt.Sprintf("%s: %v", e.Change, e.Err) }

// Unwrap returns the kernel's reason.
func (e *RuleError) Unwrap() error { return e.Err }

// NewRules opens the socket, in the network namespace of the calling thread.
func NewRules() (*Rules, error) {
	conn, err := dialRTNL()
	if err != nil {
		return nil, err
	}
	return &Rules{batch: batch[RuleChange]{conn: conn}}, nil
}

// Close closes the socket; rules stay as they are.
func (r *Rules) Close() error { return r.batch.conn.close() }

// Apply carries out the changes in order, in batches. A rule that is already
// there, or already gone, is as good as done. Each other failure is a *RuleError
// in the joined error; the changes after it are carried out all the same. A rule
// may name an interface that is not there, and applies once it is.
func (r *Rules) Apply(changes []RuleChange) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.batch.run(changes, codec[RuleChange]{
		encode: func(b []byte, seq uint32, c RuleChange) ([]byte, error) {
			return appendRule(b, c.Op, 0, seq, c.Rule), nil
		},
		harmless: func(c RuleChange, err error) bool {
			if c.Op == Add {
				return errors.Is(err, unix.EEXIST)
			}
			return errors.Is(err, unix.ENOENT)
		},
		failed: func(c RuleChange, err error) error { return &RuleError{c, err} },
	})
}

// Owned returns the rules on the host that carry our Protocol number.
func (r *Rules) Owned() ([]Rule, error) {
	return r.list(func(have Rule) bool { return have.Protocol == Protocol })
}

// Present returns those of want that are on the host.
func (r *Rules) Present(want []Rule) ([]Rule, error) {
	wanted := make(map[Rule]bool, len(want))
	for _, w := range want {
		wanted[w.normal()] = true
	}
	return r.list(func(have Rule) bool { return wanted[have.normal()] })
}

func (r *Rules) list(keep func(Rule) bool) ([]Rule, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Rule
	err := r.batch.conn.list("rules", func() error {
		out = nil
		for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
			body := make([]byte, sizeofRuleHeader)
			body[0] = family
			if err := r.batch.conn.dump(unix.RTM_GETRULE, body, func(m nlmsg.Message) {
				if rule, ok := parseRule(m.Data); ok && m.Type == unix.RTM_NEWRULE && keep(rule) {
					out = append(out, rule)
				}
			}); err != nil && !errors.Is(err, unix.EAFNOSUPPORT) { // a kernel without IPv6
				return err
			}
		}
		return nil
	})
	return out, err
}
