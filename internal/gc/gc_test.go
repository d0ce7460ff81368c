package gc

import (
	"runtime"
	"runtime/debug"
	"testing"
)

var kept []byte

// collections allocates so many MiB, keeping none, and counts the collections.
func collections(mib int) uint32 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range mib {
		kept = make([]byte, 1<<20)
	}
	runtime.ReadMemStats(&after)
	return after.NumGC - before.NumGC
}

func TestDefer(t *testing.T) {
	percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	defer debug.SetGCPercent(percent)
	runtime.GC()
	done := Defer()
	if n := collections(16); n != 0 {
		t.Errorf("%d collections meanwhile", n)
	}
	if n := collections(200); n == 0 {
		t.Error("memory grows without bound")
	}
	done()
	if n := collections(200); n == 0 {
		t.Error("nothing is collected afterwards")
	}
	if p, l := debug.SetGCPercent(100), debug.SetMemoryLimit(-1); p != 100 || l != limit {
		t.Errorf("%d %% and %d bytes afterwards", p, l)
	}
}
