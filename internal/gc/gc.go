// Package gc says when this process collects its garbage while it takes in a
// configuration. It holds no state of its own.
package gc

import (
	"math"
	"runtime"
	"runtime/debug"
)

// room is how much more memory a process may take, in bytes, before garbage is
// collected all the same.
const room = 64 << 20

// Defer puts the collection of garbage off until done is called, which collects it
// and gives back what is free. A configuration of thousands of servers is made of
// much that is of no use once it is in force: collected all along, that costs as
// much as reading it. A process that takes 64 MiB more meanwhile collects, and
// one that was told to keep to a limit (GOMEMLIMIT) keeps to it.
//
// Several that are open at once have to be done in the opposite order.
func Defer() (done func()) {
	percent := debug.SetGCPercent(-1)
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		var have runtime.MemStats
		runtime.ReadMemStats(&have)
		debug.SetMemoryLimit(room + int64(have.Sys-have.HeapReleased))
	}
	return func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
		debug.FreeOSMemory()
	}
}
