package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/wording"
)

// checked is what check -o json prints for a file.
type checked struct {
	File string `json:"file"`
	// ExitStatus is that of keepalived -t for the file alone.
	ExitStatus int `json:"exit_status"`
	// Runnable is whether the agent would start with it.
	Runnable    bool                `json:"runnable"`
	Diagnostics []config.Diagnostic `json:"diagnostics"`
}

func setupCheck(f *flag.FlagSet) func(*call) int {
	out := addFormats(f, formatText, formatJSON, formatGitHub)
	options := addLoading(f)
	strict := f.Bool("strict", false, "fail on everything that is reported, notices included")
	return func(c *call) int {
		files := c.args
		if len(files) == 0 {
			files = []string{defaultConfig}
		}
		list := make([]checked, 0, len(files))
		status := exitOK
		for _, file := range files {
			_, ds := config.Load(file, options(c))
			r := checked{File: file, ExitStatus: config.ExitCode(ds), Runnable: config.Runnable(ds), Diagnostics: ds}
			if r.Diagnostics == nil {
				r.Diagnostics = []config.Diagnostic{}
			}
			list = append(list, r)
			status = max(status, r.ExitStatus)
			if *strict && status == exitOK && len(ds) > 0 {
				status = exitReported
			}
		}
		if err := c.printChecked(list, *out); err != nil {
			return c.fail(err)
		}
		return status
	}
}

// exitReported is keepalived -t's status for a file that it says something of.
const exitReported = 5

// printChecked prints what is wrong in the files.
func (c *call) printChecked(list []checked, out format) error {
	switch out {
	case formatJSON:
		return c.printJSON(list)
	case formatGitHub:
		for _, r := range list {
			for _, d := range r.Diagnostics {
				if _, err := fmt.Fprintln(c.stdout, annotation(d)); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for _, r := range list {
		if err := config.Render(c.stdout, r.Diagnostics); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(c.stdout, r.verdict()); err != nil {
			return err
		}
	}
	return nil
}

// annotation is a diagnostic as GitHub Actions shows it beside the line.
func annotation(d config.Diagnostic) string {
	level := "error"
	switch d.Severity {
	case config.Notice:
		level = "notice"
	case config.Warning:
		level = "warning"
	default:
	}
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	text := fmt.Sprintf("::%s file=%s,line=%d,endLine=%d,col=%d", level, property.Replace(d.Pos.File), d.Pos.Line, d.Pos.Line, d.Pos.Column)
	if d.End > d.Pos.Column {
		text += fmt.Sprintf(",endColumn=%d", d.End)
	}
	message := d.Message
	if d.Help != "" {
		message += "\n" + d.Help
	}
	for _, p := range slices.Backward(d.Includes) {
		message += fmt.Sprintf("\nincluded from %s:%d", p.File, p.Line)
	}
	return text + ",title=" + property.Replace(d.Code) + "::" + data.Replace(message)
}

// verdict is the last line on a file.
func (r checked) verdict() string {
	count := map[config.Severity]int{}
	for _, d := range r.Diagnostics {
		count[d.Severity]++
	}
	var parts []string
	for _, s := range []config.Severity{config.Fatal, config.Error, config.Warning, config.Notice} {
		switch n := count[s]; {
		case n == 1:
			parts = append(parts, "1 "+severityNoun(s, false))
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %s", n, severityNoun(s, true)))
		}
	}
	text := "nothing to report"
	if len(parts) > 0 {
		text = list(parts, "and")
	}
	if !r.Runnable {
		return fmt.Sprintf("%s: cannot run: %s", r.File, text)
	}
	return fmt.Sprintf("%s: can run: %s", r.File, text)
}

func severityNoun(s config.Severity, many bool) string {
	noun := string(s)
	if s == config.Fatal {
		noun = "fatal error"
	}
	if many {
		noun += "s"
	}
	return noun
}

// configID is the configuration's id: the one given, or keepalived's default.
func configID(given string) string {
	if given != "" {
		return given
	}
	return config.DefaultID()
}

// configTest is -t: what keepalived would say is written to standard error or
// appended to a file, and the exit status is keepalived's.
func (p *program) configTest(s settings) int {
	var w io.Writer = p.stderr
	if s.testLog != "" {
		f, err := os.OpenFile(s.testLog, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			fmt.Fprintf(p.stderr, "Unable to open config-test log file %s: %v\n", s.testLog, errors.Unwrap(err))
			return exitFatal
		}
		defer f.Close()
		w = f
	}
	_, ds := config.Load(s.configFile, config.Options{ID: configID(s.configID), Environment: p.environment})
	for _, d := range ds {
		if d.Severity != config.Notice {
			fmt.Fprintln(w, wording.Diagnostic(d))
		}
	}
	return config.ExitCode(ds)
}
