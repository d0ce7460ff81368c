package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Difference is one value that two configurations have otherwise.
type Difference struct {
	// Path leads to the value by the names of Config's JSON; what stands in a
	// list is named by its name, address or own text: "instances[VI_1].priority".
	Path string `json:"path"`
	// Was and Is are the values, empty where there is none: texts as they are,
	// and all else as JSON.
	Was string `json:"was,omitempty"`
	Is  string `json:"is,omitempty"`
}

// String is the difference in a line.
func (d Difference) String() string {
	switch {
	case d.Was == "" && d.named(d.Is):
		return d.Path + " added"
	case d.Is == "" && d.named(d.Was):
		return d.Path + " removed"
	case d.Was == "":
		return fmt.Sprintf("%s: %s added", d.Path, d.Is)
	case d.Is == "":
		return fmt.Sprintf("%s: %s removed", d.Path, d.Was)
	}
	return fmt.Sprintf("%s: %s, was %s", d.Path, d.Is, d.Was)
}

// named is whether a value is a member of a list that the path tells well enough: as
// JSON it would say more than anybody reads in a line.
func (d Difference) named(value string) bool {
	return strings.HasSuffix(d.Path, "]") && (strings.HasPrefix(value, "{") || strings.HasSuffix(d.Path, "["+value+"]"))
}

// Differences compares two values of this package's types, or of their JSON, part
// by part, positions apart. It returns nothing for two that mean the same.
func Differences(was, is any) []Difference {
	var out []Difference
	compare("", jsonTree(was), jsonTree(is), &out)
	return out
}

// jsonTree is a value as its JSON has it.
func jsonTree(v any) any {
	if raw, ok := v.(json.RawMessage); ok {
		return parsed(raw)
	}
	b, err := json.Marshal(v)
	if err != nil {
		// The types of this package can all be marshalled.
		panic(err)
	}
	return parsed(b)
}

func parsed(b []byte) any {
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		return string(b)
	}
	return out
}

func compare(path string, was, is any, out *[]Difference) {
	w, wasMap := was.(map[string]any)
	i, isMap := is.(map[string]any)
	if wasMap && isMap {
		keys := maps.Clone(w)
		maps.Copy(keys, i)
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			at := k
			if path != "" {
				at = path + "." + k
			}
			compare(at, w[k], i[k], out)
		}
		return
	}
	wl, wasList := was.([]any)
	il, isList := is.([]any)
	if (wasList || was == nil) && (isList || is == nil) && (wasList || isList) {
		compareLists(path, wl, il, out)
		return
	}
	if a, b := text(was), text(is); a != b {
		*out = append(*out, Difference{Path: path, Was: a, Is: b})
	}
}

// compareLists compares by what the elements are called, so that one that is new
// does not make all after it look different.
func compareLists(path string, was, is []any, out *[]Difference) {
	before, order := named(was)
	after, more := named(is)
	for _, name := range more {
		if _, known := before[name]; !known {
			order = append(order, name)
		}
	}
	for _, name := range order {
		compare(path+"["+name+"]", before[name], after[name], out)
	}
	common := func(list []string, other map[string]any) []string {
		return slices.DeleteFunc(slices.Clone(list), func(n string) bool { _, there := other[n]; return !there })
	}
	a, b := common(slices.Clone(order), after), common(more, before)
	a = common(a, before)
	if !slices.Equal(a, b) {
		*out = append(*out, Difference{Path: path + " (order)", Was: strings.Join(a, " "), Is: strings.Join(b, " ")})
	}
}

// named gives each element a name of its own, and the names in order.
func named(list []any) (map[string]any, []string) {
	out, order := map[string]any{}, []string(nil)
	for _, v := range list {
		name := nameOf(v)
		for n := 2; out[name] != nil; n++ {
			name = fmt.Sprintf("%s #%d", nameOf(v), n)
		}
		out[name] = v
		order = append(order, name)
	}
	return out, order
}

// nameOf is what tells an element of a list from the others.
func nameOf(v any) string {
	m, ok := v.(map[string]any)
	if !ok {
		return text(v)
	}
	for _, key := range []string{"name", "prefix", "addr", "text", "kind", "path"} {
		name, ok := m[key].(string)
		if !ok || name == "" {
			continue
		}
		if port, ok := m["port"].(float64); ok && key == "addr" {
			return fmt.Sprintf("%s:%d", name, int(port))
		}
		return name
	}
	return text(v)
}

// text is a value in a word or a line.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
