package main

import (
	"flag"
	"fmt"

	"github.com/tandem-ha/tandem/config"
)

//go:generate sh -c "go run . keywords --markdown >../../docs/keywords.md"

func setupKeywords(f *flag.FlagSet) func(*call) int {
	markdown := f.Bool("markdown", false, "print the page docs/keywords.md")
	return func(c *call) int {
		if *markdown {
			if _, err := c.stdout.Write(config.KeywordsMarkdown()); err != nil {
				return c.fail(err)
			}
			return exitOK
		}
		for _, name := range keywordNames() {
			fmt.Fprintln(c.stdout, name)
		}
		return exitOK
	}
}
