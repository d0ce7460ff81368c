package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/tandem-ha/tandem/health"
)

// genhash is the command of that name, which is also this program called
// genhash, or with keepalived's --genhash.
func (p *program) genhash(args []string) int {
	cfg, err := health.ParseGenhash(args)
	if err != nil {
		if !errors.Is(err, health.ErrHashUsage) {
			fmt.Fprintln(p.stderr, err)
		}
		fmt.Fprint(p.stderr, health.GenhashUsage)
		return exitFatal
	}
	health.Genhash(context.Background(), cfg, p.stdout, p.stderr)
	return exitOK
}
