package main

import (
	"flag"
	"fmt"

	"github.com/tandem-ha/tandem/config"
)

// shown is what config show -o json prints.
type shown struct {
	Config *config.Config `json:"config"`
	// Origins says where each value of Config came from, by JSON pointer.
	Origins map[string]config.Origin `json:"origins"`
}

func setupConfig(f *flag.FlagSet) func(*call) int {
	out := addFormats(f, formatKeepalived, formatJSON)
	options := addLoading(f)
	return func(c *call) int {
		if len(c.args) == 0 || c.args[0] != "show" {
			return c.fail(fmt.Errorf("write %s config show [FILE]", c.name))
		}
		if len(c.args) > 2 {
			return c.fail(fmt.Errorf("config show takes one file, but there is also %q", c.args[2]))
		}
		file := defaultConfig
		if len(c.args) > 1 {
			file = c.args[1]
		}
		e := config.LoadEffective(file, options(c))
		if err := config.Render(c.stderr, said(e.Diagnostics)); err != nil {
			return c.fail(err)
		}
		if noFile(e.Diagnostics) {
			return exitConfig
		}
		if err := c.printEffective(e, *out); err != nil {
			return c.fail(err)
		}
		if !config.Runnable(e.Diagnostics) {
			return exitConfig
		}
		return exitOK
	}
}

// printEffective prints a configuration with where it came from.
func (c *call) printEffective(e *config.Effective, out format) error {
	if out == formatJSON {
		return c.printJSON(shown{Config: e.Config, Origins: e.Origins()})
	}
	conf, err := e.Conf()
	if err != nil {
		return err
	}
	_, err = c.stdout.Write(conf)
	return err
}

// said are the diagnostics that keepalived has too; the others are check's.
func said(ds []config.Diagnostic) []config.Diagnostic {
	var out []config.Diagnostic
	for _, d := range ds {
		if d.Severity != config.Notice {
			out = append(out, d)
		}
	}
	return out
}

// noFile is true where there was nothing to read.
func noFile(ds []config.Diagnostic) bool {
	return len(ds) == 1 && ds[0].Code == codeNoFile
}

// addLoading adds the flags that say how a configuration is read; what comes
// back gives their options once they are parsed.
func addLoading(f *flag.FlagSet) func(*call) config.Options {
	id := f.String("config-id", "", "use the lines that begin with @`ID` (default: the host name up to the first dot)")
	offline := f.Bool("offline", false, "ask nothing of this host: neither its interfaces nor its scripts")
	return func(c *call) config.Options {
		o := config.Options{ID: configID(*id), Environment: c.environment}
		if *offline {
			o.Environment = nil
		}
		return o
	}
}
