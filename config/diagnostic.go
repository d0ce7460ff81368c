package config

import "net/netip"

// Severity orders diagnostics by what they mean for running the file.
type Severity string

// The severities. A Notice is information that keepalived does not give and
// that changes no exit code ("not honoured yet", legal but dangerous); a
// Warning is what keepalived reports and runs with; an Error is what keepalived
// reports and cannot use; a Fatal fault keeps the program from starting.
const (
	Notice  Severity = "notice"
	Warning Severity = "warning"
	Error   Severity = "error"
	Fatal   Severity = "fatal"
)

// Diagnostic is one thing to say about a configuration.
type Diagnostic struct {
	Severity Severity `json:"severity"`
	// Code is a short stable word for programs: "unknown-keyword".
	Code string `json:"code"`
	Pos  Pos    `json:"pos"`
	// End is the column after the last byte of what is meant, for a caret line.
	End int `json:"end,omitempty"`
	// Message says what is wrong, Help what would be right.
	Message string `json:"message"`
	Help    string `json:"help,omitempty"`
	// Line is the source line, for quoting.
	Line string `json:"line,omitempty"`
	// Includes are the include lines that led to the file, outermost first.
	Includes []Pos `json:"includes,omitempty"`
	// Definitions are what the text is from where it does not stand in the line
	// itself, the innermost first.
	Definitions []Definition `json:"definitions,omitempty"`
}

// Definition is a definition, or the variable of a repetition, and where it got
// its value.
type Definition struct {
	Name string `json:"name"`
	Pos  Pos    `json:"pos"`
}

// Environment answers what a configuration asks about its host, so that the
// package itself stays apart from it.
type Environment interface {
	// Interface reports whether a network interface of that name exists.
	Interface(name string) bool
	// Script says what keeps cmd from being run, or nil: an fs.ErrNotExist where
	// it is not there, an fs.ErrPermission where it cannot be executed. Security
	// is true where enable_script_security is set.
	Script(cmd Command, security bool) error
}

// UserEnvironment is an Environment that knows the host's users too. Where an
// Environment is none, script_user is taken as it is.
type UserEnvironment interface {
	Environment
	// User says why scripts cannot be run as u, or nil.
	User(u User) error
}

// SubnetEnvironment is an Environment that knows the networks of the host's
// interfaces.
type SubnetEnvironment interface {
	Environment
	// Subnets are the addresses of an interface with their lengths, those that
	// a VRRP program has put there left out as far as they can be told.
	Subnets(name string) []netip.Prefix
}

// MTUEnvironment is an Environment that knows how large the packets of the host's
// interfaces can be.
type MTUEnvironment interface {
	Environment
	// MTU is the longest packet of an interface in bytes, 0 where that is not known.
	MTU(name string) int
}

// RiskEnvironment is an Environment that knows who may change a script.
type RiskEnvironment interface {
	Environment
	// ScriptRisk says how another user than root could change what cmd runs as
	// root, or nil.
	ScriptRisk(cmd Command) error
}

// Options are what Load needs to know beside the file.
type Options struct {
	// ID is the configuration's id for @ID lines; @tandem lines always count.
	ID string
	// Environment may be nil: then nothing is asked of the host.
	Environment Environment
}
