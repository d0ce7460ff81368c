package main

import _ "embed"

// The scripts do nothing but ask the hidden command, so that what they complete
// is that of the program which is there.
var (
	//go:embed completion/tandem.bash
	bashCompletion string
	//go:embed completion/tandem.zsh
	zshCompletion string
	//go:embed completion/tandem.fish
	fishCompletion string
)

// completionScript is the script of a shell, empty where there is none.
func completionScript(shell string) string {
	switch shell {
	case "bash":
		return bashCompletion
	case "zsh":
		return zshCompletion
	case "fish":
		return fishCompletion
	}
	return ""
}
