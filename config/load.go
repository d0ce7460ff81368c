package config

import (
	"errors"
	"maps"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// keywordTable and shellKeywords are made once and never changed.
var (
	keywordTable  = sync.OnceValue(newTable)
	shellKeywords = sync.OnceValue(scriptKeywords)
)

// DefaultID is the host name up to its first dot: the configuration's id where
// none is given.
func DefaultID() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	short, _, _ := strings.Cut(name, ".")
	return short
}

// Load reads the configuration file path, which may be a pattern for several
// files. The Config is never nil, whatever the diagnostics say: it is what is
// left when all that cannot be used is left out. A file that is not there gives
// a Fatal diagnostic with the code "no-file".
func Load(path string, o Options) (*Config, []Diagnostic) {
	l, err := readServices(path, o, memory{})
	if err != nil {
		return missing(path, err)
	}
	return l.decode(rereading(path)).cfg, l.sorted()
}

// rereading reads the files of path for another id.
func rereading(path string) func(Options) (*loader, error) {
	return func(o Options) (*loader, error) { return readServices(path, o, memory{}) }
}

// readServices reads the files that path is a pattern for, and leaves as text the
// services that stand for themselves; what m knows of is not read at all.
func readServices(path string, o Options, m memory) (*loader, error) {
	l := newLoader(o)
	l.memory, l.passages = m, true
	return l, l.readAll(path)
}

// readAll reads the files that path is a pattern for.
func (l *loader) readAll(path string) error {
	names := globFiles(path)
	if len(names) == 0 {
		return os.ErrNotExist
	}
	for _, name := range names {
		text, err := readRegular(name)
		if err != nil {
			if len(names) == 1 {
				return err
			}
			continue
		}
		l.file(newSource(name, string(text), nil))
	}
	return nil
}

// readRegular reads a file that is no folder.
func readRegular(name string) ([]byte, error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return nil, errors.New("it is a folder")
	}
	return os.ReadFile(name)
}

// missing is the answer where there is no file to read.
func missing(path string, err error) (*Config, []Diagnostic) {
	cfg := newLoader(Options{}).decodeTree(&tree{}).cfg
	return cfg, []Diagnostic{{
		Severity: Fatal, Code: "no-file", Pos: Pos{File: path, Line: 1, Column: 1},
		Message: "cannot read the configuration: " + err.Error(),
	}}
}

// Parse reads a configuration from memory. Name stands for it in diagnostics, and
// files that it includes are looked for in name's folder.
func Parse(name string, src []byte, o Options) (*Config, []Diagnostic) {
	read := func(o Options) (*loader, error) {
		l := newLoader(o)
		l.passages = true
		l.file(newSource(name, string(src), nil))
		return l, nil
	}
	l, _ := read(o)
	return l.decode(read).cfg, l.sorted()
}

func newLoader(o Options) *loader {
	return &loader{options: o, shell: shellKeywords(), limits: defaultLimits()}
}

// decode makes the Config of what has been read; again reads it for another id.
func (l *loader) decode(again func(Options) (*loader, error)) *decoder {
	d := l.decodeTree(l.tree())
	d.advisePeers(slices.Collect(maps.Keys(l.ids)), func(id string) *Config {
		other, err := again(Options{ID: id})
		if err != nil {
			return &Config{}
		}
		return other.decodeTree(other.tree()).cfg
	})
	return d
}

// decodeTree is decode without regard to the peers.
func (l *loader) decodeTree(t *tree) *decoder {
	d := &decoder{
		reporter: &l.reporter, table: keywordTable(), shell: l.shell, options: l.options, cfg: &Config{Process: newProcess(), Global: newGlobal()},
		global: newGlobalDraft(), sets: map[string]*serverSet{}, unordered: map[bool]uint32{}, servers: map[netip.AddrPort]bool{}, sketch: new(sketch),
	}
	d.root(t)
	if d.cfg.Global.RouterID == "" {
		d.cfg.Global.RouterID = hostName()
	}
	return d
}

func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}

// Runnable is true where nothing keeps the program from starting.
func Runnable(ds []Diagnostic) bool {
	for _, d := range ds {
		if d.Severity == Fatal {
			return false
		}
	}
	return true
}

// ExitCode is the status that keepalived -t ends with: 0 for nothing to report,
// 4 for no file, 5 for a report, 6 for scripts without script security, 2 for a
// keyword that lacks its parameter. Notices do not count.
func ExitCode(ds []Diagnostic) int {
	const noFile, reported, security, parameter = 4, 5, 6, 2
	code := 0
	for _, d := range ds {
		switch {
		case d.Severity == Notice:
		case d.Code == "missing-parameter":
			return parameter
		case d.Code == "script-security":
			code = security
		case d.Code == "no-file":
			code = max(code, noFile)
		default:
			code = max(code, reported)
		}
	}
	return code
}

// Equal is true where two configurations mean the same, wherever they stand.
func Equal(a, b *Config) bool {
	if a == nil || b == nil {
		return a == b
	}
	return equal(reflect.ValueOf(a), reflect.ValueOf(b))
}

// SameService is true where two services mean the same, wherever they stand.
func SameService(a, b *VirtualServer) bool { return equal(reflect.ValueOf(a), reflect.ValueOf(b)) }

// equal compares without regard to positions and to nil against empty lists.
func equal(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.Pointer:
		if a.Pointer() == b.Pointer() {
			return true
		}
		if a.IsNil() || b.IsNil() {
			return false
		}
		return equal(a.Elem(), b.Elem())
	case reflect.Slice:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !equal(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Struct:
		switch t := a.Type(); {
		case t == reflect.TypeFor[Pos]():
			return true
		case a.CanAddr() && b.CanAddr() && t == reflect.TypeFor[netip.Addr]():
			// By far the most frequent, and dear to compare by reflection.
			return *a.Addr().Interface().(*netip.Addr) == *b.Addr().Interface().(*netip.Addr)
		case a.CanAddr() && b.CanAddr() && t == reflect.TypeFor[netip.AddrPort]():
			return *a.Addr().Interface().(*netip.AddrPort) == *b.Addr().Interface().(*netip.AddrPort)
		case t.PkgPath() != reflect.TypeFor[Pos]().PkgPath():
			return a.Comparable() && a.Equal(b)
		}
		for i := range a.NumField() {
			if !equal(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	default:
		return a.Equal(b)
	}
}
