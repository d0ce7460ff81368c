package control

import (
	"bytes"
	"encoding"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/vrrp"
)

var update = flag.Bool("update", false, "write openapi.json anew")

// TestDocumentIsCurrent holds openapi.json against the table of routes and the
// types that they take and give, comments included.
func TestDocumentIsCurrent(t *testing.T) {
	want := newWriter(t).document(routes())
	if *update {
		if err := os.WriteFile("openapi.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(document, want) {
		t.Error("openapi.json is not what the routes are; write it anew by go test ./internal/control -update")
	}
}

type object = map[string]any

// writer makes the document.
type writer struct {
	t       *testing.T
	docs    map[string]string   // by package.Type and package.Type.Field
	enums   map[string][]string // of the types that are words
	schemas object
	names   map[reflect.Type]string
}

const modulePath = "github.com/tandem-ha/tandem/"

func newWriter(t *testing.T) *writer {
	t.Helper()
	w := &writer{t: t, docs: map[string]string{}, enums: map[string][]string{}, schemas: object{}, names: map[reflect.Type]string{}}
	for _, dir := range []string{"config", "health", "ipvs", "vrrp", "internal/control", "internal/desired", "internal/journal"} {
		w.readComments(dir)
	}
	return w
}

// readComments collects the comments and constants of a package.
func (w *writer) readComments(dir string) {
	set := token.NewFileSet()
	files, err := filepath.Glob(filepath.Join("../..", dir, "*.go"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok {
				w.readDecl(dir, g)
			}
		}
	}
}

func (w *writer) readDecl(dir string, g *ast.GenDecl) {
	for _, s := range g.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			name := dir + "." + s.Name.Name
			w.docs[name] = comment(g.Doc, s.Doc)
			fields, ok := s.Type.(*ast.StructType)
			if !ok {
				continue
			}
			for _, f := range fields.Fields.List {
				for _, id := range f.Names {
					w.docs[name+"."+id.Name] = comment(f.Doc, f.Comment)
				}
			}
		case *ast.ValueSpec:
			id, ok := s.Type.(*ast.Ident)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, v := range s.Values {
				if l, ok := v.(*ast.BasicLit); ok && l.Kind == token.STRING {
					text, _ := strconv.Unquote(l.Value)
					w.enums[dir+"."+id.Name] = append(w.enums[dir+"."+id.Name], text)
				}
			}
		}
	}
}

func comment(groups ...*ast.CommentGroup) string {
	for _, g := range groups {
		if g != nil {
			return strings.Join(strings.Fields(g.Text()), " ")
		}
	}
	return ""
}

func packageDir(t reflect.Type) string { return strings.TrimPrefix(t.PkgPath(), modulePath) }

// document is the whole of it.
func (w *writer) document(table []route) []byte {
	all := object{}
	for _, rt := range table {
		item, _ := all[rt.path].(object)
		if item == nil {
			item = object{}
			all[rt.path] = item
		}
		item[strings.ToLower(rt.method)] = w.operation(rt)
	}
	doc := object{
		"openapi": "3.1.0",
		"info": object{
			"title":   "tandem's control interface",
			"version": "1",
			"description": "Answers on the control socket (HTTP over a Unix socket), and on TCP with certificates where that is configured. " +
				"Durations in answers are nanoseconds. What is not a success is answered by an Error.",
		},
		"paths": all,
	}
	w.schema(reflect.TypeFor[errorBody]())
	w.schema(reflect.TypeFor[journal.Event]())
	for _, data := range journalData {
		w.schema(data)
	}
	doc["components"] = object{"schemas": w.schemas}
	b, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		w.t.Fatal(err)
	}
	return append(b, '\n')
}

// journalData are the types of an event's data.
var journalData = []reflect.Type{
	reflect.TypeFor[journal.StateChange](), reflect.TypeFor[journal.PriorityChange](), reflect.TypeFor[journal.LowerPriority](),
	reflect.TypeFor[journal.ServerChange](), reflect.TypeFor[journal.WeightChange](), reflect.TypeFor[journal.QuorumChange](),
	reflect.TypeFor[journal.ScriptChange](), reflect.TypeFor[journal.Order](),
}

func (w *writer) operation(rt route) object {
	op := object{"operationId": rt.name, "summary": rt.about, "x-access": rt.need.String()}
	var params []object
	for _, p := range rt.query {
		params = append(params, p.object())
	}
	if rt.stream {
		params = append(params, object{"name": "Last-Event-ID", "in": "header", "schema": object{"type": "integer"},
			"description": "With Accept: text/event-stream, the sequence number of the last event that was seen."})
	}
	if params != nil {
		op["parameters"] = params
	}
	if rt.body != nil {
		op["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": w.schema(rt.body)}}}
	}
	content := object{"application/json": object{"schema": w.schema(rt.answer)}}
	if rt.stream {
		content[eventStream] = object{"schema": object{"type": "string"}}
	}
	failure := object{"application/json": object{"schema": w.schema(reflect.TypeFor[errorBody]())}}
	answers := object{
		"200":     object{"description": "What was asked for.", "content": content},
		"403":     object{"description": "Who asks may not.", "content": failure},
		"default": object{"description": "A fault, or no room at the moment.", "content": failure},
	}
	for _, code := range rt.statuses {
		body := failure
		if code == http.StatusUnprocessableEntity {
			body = object{"application/json": object{"schema": w.schema(rt.answer)}}
		}
		answers[strconv.Itoa(code)] = object{"description": statusTexts[code], "content": body}
	}
	op["responses"] = answers
	return op
}

var statusTexts = map[int]string{
	400: "The request is not right in itself.",
	404: "There is nothing of that name.",
	409: "It was refused, and why.",
	413: "The request is too long.",
	422: "The configuration cannot run; nothing was changed.",
}

func (p parameter) object() object {
	s := object{}
	switch p.kind {
	case "integer":
		s["type"] = "integer"
		s["minimum"] = 0
	default:
		s["type"] = "string"
	}
	if p.choices != nil {
		s["enum"] = p.choices
	}
	if p.list {
		s = object{"type": "array", "items": s}
	}
	out := object{"name": p.name, "in": "query", "description": p.about, "schema": s}
	if p.inPath {
		out["in"], out["required"] = "path", true
	}
	return out
}

// schema is that of a type; a struct's is a component of its own.
func (w *writer) schema(t reflect.Type) object {
	switch {
	case t.Kind() == reflect.Pointer:
		return w.schema(t.Elem())
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[time.Duration]():
		return object{"type": "integer", "description": "Nanoseconds."}
	case t == reflect.TypeFor[json.RawMessage](), t.Kind() == reflect.Interface:
		return object{}
	case t.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return w.word(t)
	}
	switch t.Kind() {
	case reflect.String:
		return w.word(t)
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return object{"type": "integer", "minimum": 0}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 && t.Elem().PkgPath() == "" {
			return object{"type": "string", "contentEncoding": "base64"}
		}
		return object{"type": "array", "items": w.schema(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": w.schema(t.Elem())}
	case reflect.Struct:
		return w.component(t)
	}
	w.t.Fatalf("there is no schema of %v", t)
	return nil
}

// word is a type that is written as one string.
func (w *writer) word(t reflect.Type) object {
	s := object{"type": "string"}
	if e := w.enums[packageDir(t)+"."+t.Name()]; len(e) > 0 {
		if t == reflect.TypeFor[vrrp.CauseKind]() {
			e = append([]string{""}, e...) // of an instance that has not started
		}
		s["enum"] = e
	}
	// Types with a few values and a text of their own: ask them.
	if t.Kind() == reflect.Uint8 && t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		var e []string
		for i := range uint64(16) {
			v := reflect.New(t).Elem()
			v.SetUint(i)
			b, err := v.Interface().(encoding.TextMarshaler).MarshalText()
			if err != nil || !reflect.New(t).Type().Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
				break
			}
			if reflect.New(t).Interface().(encoding.TextUnmarshaler).UnmarshalText(b) != nil {
				break
			}
			e = append(e, string(b))
		}
		if e != nil {
			s["enum"] = e
		}
	}
	return s
}

func (w *writer) component(t reflect.Type) object {
	if t.Name() == "" {
		return w.structure(t)
	}
	name, known := w.names[t]
	if !known {
		name = strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
		if name == "ErrorBody" {
			name = "Error"
		}
		if _, taken := w.schemas[name]; taken {
			dir := path.Base(packageDir(t))
			name = strings.ToUpper(dir[:1]) + dir[1:] + name
		}
		w.names[t] = name
		w.schemas[name] = object{} // so that a type may hold itself
		s := w.structure(t)
		if about := w.docs[packageDir(t)+"."+t.Name()]; about != "" {
			s["description"] = about
		}
		w.schemas[name] = s
	}
	return object{"$ref": "#/components/schemas/" + name}
}

func (w *writer) structure(t reflect.Type) object {
	properties, required := object{}, []string{}
	w.fields(t, properties, &required)
	slices.Sort(required)
	s := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = slices.Compact(required)
	}
	return s
}

func (w *writer) fields(t reflect.Type, properties object, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported() && !f.Anonymous:
			continue
		case f.Anonymous && name == "":
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			nested, more := object{}, []string{}
			w.fields(inner, nested, &more)
			for k, v := range nested {
				if _, taken := properties[k]; !taken {
					properties[k] = v
				}
			}
			*required = append(*required, more...)
			continue
		}
		if name == "" {
			w.t.Errorf("%v.%s has no name in JSON", t, f.Name)
		}
		s := w.schema(f.Type)
		if about := w.docs[packageDir(t)+"."+t.Name()+"."+f.Name]; about != "" {
			if old, _ := s["description"].(string); old != "" {
				about += " " + old
			}
			s = merge(s, object{"description": about})
		}
		properties[name] = s
		if !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero") {
			*required = append(*required, name)
		}
	}
}

func merge(a, b object) object {
	out := object{}
	for _, m := range []object{a, b} {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}

// validator holds values against the schemas of the document.
type validator struct{ doc object }

func newValidator(t *testing.T) *validator {
	t.Helper()
	v := &validator{}
	if err := json.Unmarshal(document, &v.doc); err != nil {
		t.Fatal(err)
	}
	return v
}

// at follows a JSON pointer into the document.
func (v *validator) at(pointer string) (any, error) {
	var cur any = v.doc
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "#/"), "/") {
		m, ok := cur.(object)
		if !ok {
			return nil, fmt.Errorf("%s leads nowhere", pointer)
		}
		if cur, ok = m[strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")]; !ok {
			return nil, fmt.Errorf("%s leads nowhere at %s: %w", pointer, part, fs.ErrNotExist)
		}
	}
	return cur, nil
}

// check says where a value is not what a schema says.
func (v *validator) check(schema any, value any, where string) error {
	s, ok := schema.(object)
	if !ok {
		return fmt.Errorf("%s: there is no schema", where)
	}
	if ref, ok := s["$ref"].(string); ok {
		to, err := v.at(ref)
		if err != nil {
			return err
		}
		return v.check(to, value, where)
	}
	if e, ok := s["enum"].([]any); ok && !slices.Contains(e, value) {
		return fmt.Errorf("%s: %v is none of %v", where, value, e)
	}
	switch s["type"] {
	case nil:
		return nil
	case "object":
		return v.checkObject(s, value, where)
	case "array":
		list, ok := value.([]any)
		if !ok {
			return fmt.Errorf("%s: %v is no array", where, value)
		}
		for i, x := range list {
			if err := v.check(s["items"], x, fmt.Sprintf("%s[%d]", where, i)); err != nil {
				return err
			}
		}
		return nil
	}
	return checkPlain(s, value, where)
}

func checkPlain(s object, value any, where string) error {
	ok := false
	switch s["type"] {
	case "string":
		var text string
		if text, ok = value.(string); ok && s["format"] == "date-time" {
			if _, err := time.Parse(time.RFC3339Nano, text); err != nil {
				return fmt.Errorf("%s: %w", where, err)
			}
		}
	case "boolean":
		_, ok = value.(bool)
	case "number":
		_, ok = value.(float64)
	case "integer":
		var n float64
		n, ok = value.(float64)
		if least, bounded := s["minimum"].(float64); ok && bounded && n < least {
			return fmt.Errorf("%s: %v is below %v", where, n, least)
		}
		ok = ok && n == float64(int64(n))
	}
	if !ok {
		return fmt.Errorf("%s: %v is no %v", where, value, s["type"])
	}
	return nil
}

func (v *validator) checkObject(s object, value any, where string) error {
	m, ok := value.(object)
	if !ok {
		return fmt.Errorf("%s: %v is no object", where, value)
	}
	for _, name := range list(s["required"]) {
		if _, there := m[name.(string)]; !there {
			return fmt.Errorf("%s: %v is missing", where, name)
		}
	}
	properties, _ := s["properties"].(object)
	for name, x := range m {
		schema, known := properties[name]
		if !known {
			if s["additionalProperties"] == false {
				return fmt.Errorf("%s: %q is not in the schema", where, name)
			}
			schema = s["additionalProperties"]
			if schema == nil {
				continue
			}
		}
		if err := v.check(schema, x, where+"."+name); err != nil {
			return err
		}
	}
	return nil
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}
