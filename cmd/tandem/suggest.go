package main

import (
	"fmt"
	"strings"

	"github.com/tandem-ha/tandem/config"
)

// didYouMean is " (did you mean X?)" for the candidate closest to word, with
// the prefix before it, or nothing where none is close.
func didYouMean(word string, candidates []string, prefix string) string {
	best, least := "", len(word)/3+2
	for _, c := range candidates {
		d := config.EditDistance(word, c, least)
		if len(word) > 1 && strings.HasPrefix(c, word) {
			d = 0
		}
		if d < least {
			best, least = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s%s?)", prefix, best)
}

// list joins words with commas and, before the last, the conjunction.
func list(words []string, conjunction string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " " + conjunction + " " + words[last]
}
