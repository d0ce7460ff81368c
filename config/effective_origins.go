package config

import (
	"encoding"
	"reflect"
	"strconv"
	"strings"
)

// Origins says where each value of the Config came from, by the JSON pointer
// (RFC 6901) to it in the Config's JSON. Every value there that is no object
// and no array has its entry.
func (e *Effective) Origins() map[string]Origin {
	w := &originWalk{Effective: e, nodes: map[Pos]*node{}, out: map[string]Origin{}}
	w.index(e.tree.Nodes, "")
	w.value(reflect.ValueOf(e.Config), "", whereabouts{})
	return w.out
}

// originWalk goes through a Config as encoding/json does.
type originWalk struct {
	*Effective
	// nodes are the blocks by their place, paths their names in the table.
	nodes map[Pos]*node
	paths map[Pos]string
	out   map[string]Origin
}

// whereabouts are what is known of where a value stands.
type whereabouts struct {
	// scope is the innermost block with its pointer, pos the innermost thing
	// that has a place with its pointer.
	scope   *scope
	scopeAt string
	pos     Pos
	posAt   string
}

// index notes the blocks of the tree by place, the first where there are more.
func (w *originWalk) index(nodes []*node, path string) {
	if w.paths == nil {
		w.paths = map[Pos]string{}
	}
	for _, n := range nodes {
		k := w.table[path][n.name()]
		if k == nil || !n.HasBlock || k.Form != FormBlock {
			continue
		}
		if p := n.Words[0].pos(); w.nodes[p] == nil {
			w.nodes[p], w.paths[p] = n, k.path()
		}
		w.index(n.Body, k.path())
	}
}

// value notes where v, which is at pointer, came from, or what is in it.
func (w *originWalk) value(v reflect.Value, pointer string, at whereabouts) {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return
		}
		if s := w.scopeOf(v); s != nil {
			at.scope, at.scopeAt = s, pointer
		}
		v = v.Elem()
	}
	if isLeaf(v.Type()) {
		w.out[pointer] = w.origin(pointer, at)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		w.object(v, pointer, at)
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			w.value(v.Index(i), pointer+"/"+strconv.Itoa(i), at)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			w.value(v.MapIndex(key), pointer+"/"+escapePointer(key.String()), at)
		}
	default:
		w.out[pointer] = w.origin(pointer, at)
	}
}

// scopeOf is the scope that a pointer stands for.
func (w *originWalk) scopeOf(v reflect.Value) *scope {
	if v.Kind() != reflect.Pointer || !v.CanInterface() {
		return nil
	}
	return w.scopes[v.Interface()]
}

// object goes through the fields of a struct.
func (w *originWalk) object(v reflect.Value, pointer string, at whereabouts) {
	if v.CanAddr() {
		if s := w.scopeOf(v.Addr()); s != nil {
			at.scope, at.scopeAt = s, pointer
		}
	}
	if f := v.FieldByName("Pos"); f.IsValid() && f.Type() == reflect.TypeFor[Pos]() && f.Interface() != (Pos{}) {
		at.pos, at.posAt = f.Interface().(Pos), pointer
		if n := w.nodes[at.pos]; n != nil && at.scopeAt != pointer {
			at.scope, at.scopeAt = &scope{path: w.paths[at.pos], nodes: []*node{n}}, pointer
		}
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		field := v.Field(i)
		switch {
		case !f.IsExported() && !f.Anonymous, name == "-":
			continue
		case f.Anonymous && name == "":
			w.value(field, pointer, at)
			continue
		case strings.Contains(options, "omitempty") && isEmpty(field), strings.Contains(options, "omitzero") && field.IsZero():
			continue
		case name == "":
			name = f.Name
		}
		w.value(field, pointer+"/"+escapePointer(name), at)
	}
}

// isEmpty is what omitempty leaves out.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.String, reflect.Array:
		return v.Len() == 0
	case reflect.Struct:
		return false
	default:
		return v.IsZero()
	}
}

// isLeaf is true for what marshals to a string of its own.
func isLeaf(t reflect.Type) bool {
	return t.Implements(reflect.TypeFor[encoding.TextMarshaler]())
}

// escapePointer writes a name as part of a JSON pointer.
func escapePointer(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// origin is where the value at pointer came from: by its setting, by the thing
// around it that has a place, by a keyword of its name, or by its block.
func (w *originWalk) origin(pointer string, at whereabouts) Origin {
	if at.scope != nil {
		below := strings.TrimPrefix(pointer, at.scopeAt)
		t, length := at.scope.settingAt(below)
		if length > 0 && len(at.scopeAt)+length > len(at.posAt) {
			return at.scope.origin(t)
		}
		if at.posAt == at.scopeAt || at.posAt == "" {
			name := below[strings.LastIndexByte(below, '/')+1:]
			if w.table[at.scope.path][name] != nil && strings.Count(below, "/") == 1 {
				return at.scope.origin(resolved{names: []string{name}, inherits: []string{name}})
			}
		}
	}
	if at.pos != (Pos{}) {
		return Origin{Kind: FromFile, Pos: at.pos}
	}
	return Origin{Kind: FromDefault}
}

// settingAt is the setting whose pointer is the longest beginning of pointer,
// one that is said before others; the length is that pointer's, 0 for none.
func (s *scope) settingAt(pointer string) (best resolved, length int) {
	for _, t := range s.settings {
		for _, p := range t.pointers {
			if pointer != p && !strings.HasPrefix(pointer, p+"/") || len(p) < length {
				continue
			}
			if len(p) > length || s.said(best.names...) == nil {
				best, length = t, len(p)
			}
		}
	}
	return best, length
}
