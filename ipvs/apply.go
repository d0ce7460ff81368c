package ipvs

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// batchSize is how many changes are sent at once. More gain nothing, and the
// answers of a batch that fails as a whole must fit the receive queue.
const batchSize = 100

// Apply makes the changes in order, in batches that the kernel acknowledges
// once each.
func (c *Client) Apply(ctx context.Context, changes []Change) error {
	if len(changes) == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.resolve(ctx); err != nil {
		return err
	}
	var failed failures
	for len(changes) > 0 {
		n := min(batchSize, len(changes))
		if err := c.applyBatch(ctx, changes[:n], &failed); err != nil {
			return fmt.Errorf("change the kernel's IPVS table: %w", err)
		}
		changes = changes[n:]
	}
	return failed.err()
}

// applyBatch sends one batch, and then, together, in the other form what was
// refused because an entry is there already or no longer.
func (c *Client) applyBatch(ctx context.Context, changes []Change, failed *failures) error {
	var again, originals []Change
	comesBack := make(map[ServiceKey]bool)
	err := c.sendBatch(ctx, changes, func(i int, err error) {
		other, verdict := outcome(changes[i], err, comesBack)
		switch verdict {
		case done:
		case retry:
			again = append(again, other)
			originals = append(originals, changes[i])
		case refused:
			failed.add(changes[i], err)
		}
	})
	if err != nil || len(again) == 0 {
		return err
	}
	return c.sendBatch(ctx, again, func(i int, err error) { failed.add(originals[i], err) })
}

func (c *Client) sendBatch(ctx context.Context, changes []Change, failed func(int, error)) error {
	return c.sock.batch(ctx, c.family, len(changes),
		func(i int, b []byte) []byte { return appendChange(b, changes[i]) },
		func(i int) uint8 { return changes[i].command() },
		failed)
}

type verdict int

const (
	refused verdict = iota
	done
	retry
)

// outcome says what an error means for a change. Services that have to be added
// after all are noted in comesBack, so that their destinations follow them.
func outcome(c Change, err error, comesBack map[ServiceKey]bool) (Change, verdict) {
	exists := errors.Is(err, unix.EEXIST)
	noService := errors.Is(err, unix.ESRCH)
	noDestination := errors.Is(err, unix.ENOENT)
	k := c.Service.ServiceKey
	switch {
	case c.Op == DeleteService && noService,
		c.Op == DeleteDestination && (noService || noDestination):
		return c, done
	case c.Op == AddService && exists:
		c.Op = EditService
	case c.Op == AddDestination && exists:
		c.Op = EditDestination
	case c.Op == EditService && noService:
		comesBack[k] = true
		c.Op = AddService
	case c.Op == EditDestination && (noDestination || noService && comesBack[k]):
		c.Op = AddDestination
	case c.Op == AddDestination && noService && comesBack[k]:
	default:
		return c, refused
	}
	return c, retry
}

var commands = [...]uint8{
	AddService: cmdNewService, EditService: cmdSetService, DeleteService: cmdDelService,
	AddDestination: cmdNewDest, EditDestination: cmdSetDest, DeleteDestination: cmdDelDest,
}

func (c Change) command() uint8 {
	if int(c.Op) < len(commands) {
		return commands[c.Op]
	}
	return 0 // refused by the kernel as EOPNOTSUPP
}

// appendChange appends the attributes of the message that makes a change.
func appendChange(b []byte, c Change) []byte {
	switch c.Op {
	case AddService, EditService:
		return appendService(b, c.Service)
	case AddDestination, EditDestination:
		return appendDestination(appendServiceKey(b, c.Service.ServiceKey), c.Destination)
	case DeleteDestination:
		return appendDestinationKey(appendServiceKey(b, c.Service.ServiceKey), c.Destination.DestinationKey)
	}
	return appendServiceKey(b, c.Service.ServiceKey)
}

// failures gathers what is refused.
type failures struct {
	list    []Failure
	missing map[ServiceKey]bool // services that could not be set
}

func (f *failures) add(c Change, err error) {
	k := c.Service.ServiceKey
	ofService := c.Op == AddService || c.Op == EditService
	if ofService {
		if f.missing == nil {
			f.missing = make(map[ServiceKey]bool)
		}
		f.missing[k] = true
	}
	f.list = append(f.list, Failure{
		Change:      c,
		Err:         explain(c, err),
		Consequence: !ofService && f.missing[k] && errors.Is(err, unix.ESRCH),
	})
}

func (f *failures) err() error {
	if len(f.list) == 0 {
		return nil
	}
	return &ApplyError{Failures: f.list}
}
