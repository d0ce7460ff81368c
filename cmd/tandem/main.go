// SSL_GET asks whatever certificate a real server has, and checks none of it:
// servers that OpenSSL talks to must not count as dead for their keys' age.
//go:debug rsa1024min=0
//go:debug tlssha1=1
//go:debug x509negativeserial=1

// Command tandem is the agent and its tools in one program: with keepalived's
// options it runs as keepalived does, with a sub-command it asks a running
// agent or checks a configuration. Everything here is thin: it parses flags,
// calls one package, prints.
package main

import (
	"os"
	"time"

	"github.com/tandem-ha/tandem/internal/script"
)

func main() {
	p := &program{
		name:        baseName(os.Args[0]),
		stdin:       os.Stdin,
		stdout:      os.Stdout,
		stderr:      os.Stderr,
		getenv:      os.Getenv,
		now:         time.Now,
		newAgent:    newAgent,
		environment: script.Environment{},
		terminal:    isTerminal,
		patience:    agentPatience,
	}
	os.Exit(p.main(os.Args[1:]))
}
