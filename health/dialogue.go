package health

// dialogue is what is said on a connection, and what it comes to: without the
// connection, which is the poller's or a goroutine's.
type dialogue interface {
	// begin returns what to say first, and whether that is all there is to it.
	begin() (say []byte, over bool)
	// hear takes what the other side has said, and returns what to say now, and
	// whether all is said. An error is what cannot be understood. What it is given
	// lasts as long as the call.
	hear(b []byte) (say []byte, over bool, err error)
	// ended is told that the other side says no more: io.EOF, or what went wrong. It
	// returns nil where that is all that was waited for.
	ended(err error) error
	// names are what is being done when something goes wrong, as errors tell it.
	names() (sending, hearing string)
	// result is what it comes to, with the error that ended it, if any.
	result(err error) Result
}

// converse has a dialogue over a stream on which each read and write ends in time.
func converse(stream *patient, d dialogue) error {
	buf := buffers.Get().(*[16 << 10]byte)
	defer buffers.Put(buf)
	say, over := d.begin()
	for {
		sending, _ := d.names()
		if len(say) > 0 {
			if _, err := stream.Write(say); err != nil {
				return stream.explain(sending, err)
			}
		}
		if over {
			return nil
		}
		n, err := stream.Read(buf[:])
		_, hearing := d.names()
		switch {
		case n > 0:
			say, over, err = d.hear(buf[:n])
		case err != nil:
			over, err = true, d.ended(err)
		}
		if err != nil {
			return stream.explain(hearing, err)
		}
	}
}
