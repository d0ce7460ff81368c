package health

import (
	"testing"

	"go.uber.org/goleak"
)

// The library of regular expressions keeps a clock for as long as a search
// might last.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/dlclark/regexp2.runClock"))
}
