package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the linker at a release: -X main.version=1.2.3.
var version string

// versionNumber is the version: the linker's, else that of the module or the
// commit that the program was built from.
func versionNumber() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	revision, modified := "", ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value[:min(len(s.Value), 12)]
		case "vcs.modified":
			if s.Value == "true" {
				modified = "+changes"
			}
		}
	}
	if revision == "" {
		return "development"
	}
	return "development-" + revision + modified
}

// versionText is what tandem version prints.
func versionText() string {
	return fmt.Sprintf("tandem %s (%s %s/%s)", versionNumber(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// likeKeepalived is the version of keepalived that tandem does the work of.
const likeKeepalived = "2.4.3"

// versionLine is what -v prints. Programs that ask keepalived for its version
// take the second word of the first line, without its first letter.
func (p *program) versionLine() string {
	if p.name == "keepalived" {
		return fmt.Sprintf("Keepalived v%s (%s)", likeKeepalived, versionText())
	}
	return versionText()
}
