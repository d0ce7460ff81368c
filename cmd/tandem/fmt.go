package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/tandem-ha/tandem/config"
)

// standardInput is the name of the file that is none.
const standardInput = "-"

// The exit statuses of fmt, as of diff.
const (
	exitDifferent = 1
	exitTrouble   = 2
)

func setupFmt(f *flag.FlagSet) func(*call) int {
	diff := f.Bool("d", false, "print what would change as a unified diff instead; the exit status is 1 where something would")
	write := f.Bool("w", false, "write the files instead of printing them; owner and mode stay")
	return func(c *call) int {
		files := c.args
		if len(files) == 0 {
			files = []string{defaultConfig}
		}
		status := exitOK
		for _, file := range files {
			status = max(status, c.formatFile(file, *diff, *write))
		}
		return status
	}
}

// formatFile lays one file out.
func (c *call) formatFile(file string, diff, write bool) int {
	trouble := func(err error) int {
		c.fail(err)
		return exitTrouble
	}
	if file == standardInput && write {
		return trouble(errors.New("-w needs a file; standard input is none"))
	}
	name, src, err := c.readSource(file)
	if err != nil {
		return trouble(err)
	}
	out, ds := config.Format(name, src)
	if err := config.Render(c.stderr, ds); err != nil {
		return trouble(err)
	}
	for _, d := range ds {
		if d.Severity == config.Error {
			fmt.Fprintf(c.stderr, "%s is left as it is.\n", name)
			return exitTrouble
		}
	}
	status := exitOK
	changed := !bytes.Equal(src, out)
	if diff && changed {
		status = exitDifferent
		_, err = c.stdout.Write(unifiedDiff(name+".orig", name, src, out))
	}
	if !diff && !write {
		_, err = c.stdout.Write(out)
	}
	if write && changed && err == nil {
		err = rewriteFile(file, src, out)
	}
	if err != nil {
		return trouble(err)
	}
	return status
}

// readSource reads a file, or standard input, and names it.
func (c *call) readSource(file string) (name string, src []byte, err error) {
	if file != standardInput {
		src, err = os.ReadFile(file)
		return file, src, err
	}
	if c.stdin == nil {
		return "", nil, errors.New("there is no standard input")
	}
	src, err = io.ReadAll(c.stdin)
	if err != nil {
		err = fmt.Errorf("read standard input: %w", err)
	}
	return "standard input", src, err
}
