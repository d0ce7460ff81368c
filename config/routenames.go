package config

import (
	"bufio"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// routeNames are the names of iproute2's tables of numbers, read where a file of
// the configuration uses one that is not known to everybody.
type routeNames struct {
	// folders hold the tables, the first that has a file wins.
	folders []string
	read    map[string]map[string]uint32
}

// wellKnown are the names that the kernel or iproute2 itself gives.
var wellKnown = map[string]map[string]uint32{
	"rt_tables":  {"unspec": 0, "default": 253, "main": 254, "local": 255},
	"rt_protos":  {"unspec": 0, "redirect": 1, "kernel": 2, "boot": 3, "static": 4, "ra": 9, "bird": 12, "dhcp": 16, "keepalived": 18, "babel": 42, "bgp": 186, "isis": 187, "ospf": 188, "rip": 189, "eigrp": 192},
	"rt_scopes":  {"global": 0, "universe": 0, "site": 200, "link": 253, "host": 254, "nowhere": 255},
	"rt_realms":  {"cosmos": 0},
	"rt_dsfield": {"default": 0},
	"group":      {"default": 0},
}

// number is what text stands for in the table: a number up to most, or a name.
func (r *routeNames) number(table, text string, most uint64) (uint32, bool) {
	if v, err := strconv.ParseUint(text, 0, 32); err == nil {
		return uint32(v), v <= most
	}
	if v, ok := wellKnown[table][text]; ok {
		return v, uint64(v) <= most
	}
	v, ok := r.table(table)[text]
	return v, ok && uint64(v) <= most
}

// table reads the files of a table once.
func (r *routeNames) table(name string) map[string]uint32 {
	if t, ok := r.read[name]; ok {
		return t
	}
	t := map[string]uint32{}
	for _, folder := range r.folders {
		more, _ := filepath.Glob(filepath.Join(folder, name+".d", "*.conf"))
		for _, file := range append([]string{filepath.Join(folder, name)}, more...) {
			maps.Copy(t, readNames(file))
		}
	}
	if r.read == nil {
		r.read = map[string]map[string]uint32{}
	}
	r.read[name] = t
	return t
}

// readNames reads lines "NUMBER NAME"; what cannot be read names nothing.
func readNames(file string) map[string]uint32 {
	const most = 1 << 20
	out := map[string]uint32{}
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() || info.Size() > most {
		return out
	}
	f, err := os.Open(file)
	if err != nil {
		return out
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		text, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(text)
		if len(fields) != 2 {
			continue
		}
		if v, err := strconv.ParseUint(fields[0], 0, 32); err == nil {
			out[fields[1]] = uint32(v)
		}
	}
	return out
}

// names are the tables of names that the global settings point to.
func (d *decoder) names() *routeNames {
	if d.routeNames == nil {
		f := d.cfg.Global.Files
		d.routeNames = &routeNames{folders: []string{
			orElse(f.RouteNames, "/usr/share/iproute2"), orElse(f.RouteNamesEtc, "/etc/iproute2"),
		}}
	}
	return d.routeNames
}
