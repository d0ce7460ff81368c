package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs/nlmsg"
)

// chunk is how many changes go to the kernel in one send. Each is carried out
// before the send returns, so this bounds how long one system call takes.
const chunk = 128

// answerTime bounds the wait for the kernel's answer to one send.
const answerTime = 10 * time.Second

// errNothing is what a codec's encode says where nothing needs to be done.
var errNothing = errors.New("nothing to be done")

// codec is how changes of one kind are put to the kernel.
type codec[C any] struct {
	// encode appends the request of a change; its error is reported like the
	// kernel's, errNothing is not reported.
	encode func(b []byte, seq uint32, c C) ([]byte, error)
	// harmless tells the errors that leave the host as it was to be.
	harmless func(c C, err error) bool
	// failed wraps the reason why a change was not carried out.
	failed func(c C, err error) error
}

// batch sends changes to the kernel and matches its answers.
type batch[C any] struct {
	conn *rtnl
	sent []sentChange[C]
}

type sentChange[C any] struct {
	seq    uint32
	change C
}

// run carries out the changes in order; each that fails is one error in the
// joined one, and those after it are carried out all the same.
func (b *batch[C]) run(changes []C, k codec[C]) error {
	var errs []error
	for len(changes) > 0 {
		n := min(chunk, len(changes))
		errs = b.send(changes[:n], k, errs)
		changes = changes[n:]
	}
	return errors.Join(errs...)
}

// send sends one chunk. Only its last message asks to be acknowledged: the
// kernel answers the others only where they fail, and in order.
func (b *batch[C]) send(changes []C, k codec[C], errs []error) []error {
	out := b.conn.out[:0]
	b.sent = b.sent[:0]
	last := 0
	for _, c := range changes {
		seq := b.conn.next()
		at := len(out)
		longer, err := k.encode(out, seq, c)
		if err != nil {
			out = out[:at]
			if !errors.Is(err, errNothing) {
				errs = append(errs, k.failed(c, err))
			}
			continue
		}
		out, last = longer, at
		b.sent = append(b.sent, sentChange[C]{seq, c})
	}
	b.conn.out = out[:0]
	if len(b.sent) == 0 {
		return errs
	}
	// The flags are the third field of the header.
	flags := binary.NativeEndian.Uint16(out[last+6:])
	binary.NativeEndian.PutUint16(out[last+6:], flags|unix.NLM_F_ACK)
	if err := b.conn.send(out); err != nil {
		return append(errs, fmt.Errorf("send %d changes from %q: %w", len(b.sent), fmt.Sprint(b.sent[0].change), err))
	}
	return b.answers(k, errs)
}

// answers reads what the kernel says to the chunk just sent.
func (b *batch[C]) answers(k codec[C], errs []error) []error {
	final := b.sent[len(b.sent)-1].seq
	if err := b.conn.deadline(answerTime); err != nil {
		return append(errs, err)
	}
	at := 0
	for {
		in, err := b.conn.receive()
		if err != nil {
			return append(errs, fmt.Errorf("answer to %d changes from %q: %w", len(b.sent), fmt.Sprint(b.sent[0].change), err))
		}
		for m, rest, ok := nlmsg.Next(in); ok; m, rest, ok = nlmsg.Next(rest) {
			if m.Type != unix.NLMSG_ERROR {
				continue
			}
			for at < len(b.sent) && b.sent[at].seq != m.Seq {
				at++
			}
			if at == len(b.sent) {
				at = 0 // a late answer to an earlier request
				continue
			}
			if err := m.Err(); err != nil && !k.harmless(b.sent[at].change, err) {
				errs = append(errs, k.failed(b.sent[at].change, err))
			}
			if m.Seq == final {
				return errs
			}
		}
	}
}

// Failures takes apart what the Apply of a table returned: an error for each change
// that was not carried out.
func Failures(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}
