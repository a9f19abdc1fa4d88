package console

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"text/template/parse"

	"github.com/scopegate/scopegate/internal/actions"
	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/buildinfo"
	"github.com/scopegate/scopegate/internal/sanitize"
)

//go:embed templates/*.html
var templateFiles embed.FS

// errorTemplate is the page of errors.
const errorTemplate = "error"

// templates returns the templates of all pages, by name. They are parsed once, and only in
// processes that show them.
var templates = sync.OnceValue(func() map[string]*template.Template {
	sets := map[string]*template.Template{errorTemplate: parseTemplate(errorTemplate)}
	for _, p := range pages {
		sets[p.template] = parseTemplate(p.template)
	}
	for _, name := range actionTemplates {
		sets[name] = parseTemplate(name)
	}
	return sets
})

// parseTemplate returns the layout with one page in it. It panics if a file is wrong, which
// the tests notice.
func parseTemplate(name string) *template.Template {
	set := template.Must(template.New("layout.html").Funcs(funcs).ParseFS(templateFiles,
		"templates/layout.html", "templates/shared*.html", "templates/"+name+".html"))
	for _, each := range set.Templates() {
		if each.Tree != nil {
			cleanOutput(each.Tree.Root)
		}
	}
	return set
}

// cleanOutput makes every action that prints something print it sanitized, so that no page can
// forget to. html/template adds the escaping in the same way.
func cleanOutput(node parse.Node) {
	switch node := node.(type) {
	case *parse.ListNode:
		if node == nil {
			return
		}
		for _, each := range node.Nodes {
			cleanOutput(each)
		}
	case *parse.ActionNode:
		if len(node.Pipe.Decl) == 0 {
			node.Pipe.Cmds = append(node.Pipe.Cmds, &parse.CommandNode{
				NodeType: parse.NodeCommand, Pos: node.Pos, Args: []parse.Node{parse.NewIdentifier("clean").SetPos(node.Pos)},
			})
		}
	case *parse.IfNode:
		cleanOutput(node.List)
		cleanOutput(node.ElseList)
	case *parse.RangeNode:
		cleanOutput(node.List)
		cleanOutput(node.ElseList)
	case *parse.WithNode:
		cleanOutput(node.List)
		cleanOutput(node.ElseList)
	}
}

// multiline is text whose line breaks are kept.
type multiline string

// clean sanitizes a text of any type. The types by which html/template would trust a text are
// lost on the way.
func clean(value any) any {
	if text, ok := value.(multiline); ok {
		return sanitize.Text(string(text), sanitize.MaxText)
	}
	if v := reflect.ValueOf(value); v.Kind() == reflect.String {
		return sanitize.String(v.String(), sanitize.MaxText)
	}
	return value
}

// view is what the layout gets.
type view struct {
	Title string
	// Nav are the pages in the navigation.
	Nav []navigation
	// Scripts are files below assets.
	Scripts []string
	Version string
	// Data is for the page's own template.
	Data any
}

// navigation is one page in the navigation.
type navigation struct {
	Label, Path string
	Current     bool
}

// show answers with a page.
func (s *server) show(w http.ResponseWriter, r *http.Request, p *page) {
	data, err := p.load(s, r)
	if err != nil {
		s.showError(w, r, err)
		return
	}
	s.render(w, http.StatusOK, p.template, s.viewOf(p, data))
}

// showError answers with the page of errors.
func (s *server) showError(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // nobody reads it
	}
	status := http.StatusInternalServerError
	if failed, ok := errors.AsType[*adminapi.Error](err); ok {
		status = failed.Status
	}
	if failed, ok := errors.AsType[*actions.Error](err); ok {
		status = failed.Status
	}
	title := http.StatusText(status)
	s.render(w, status, errorTemplate, s.viewOf(&page{title: title}, failure{status, title, err.Error()}))
}

// failure is what the page of errors shows.
type failure struct {
	Status      int
	Title, Text string
}

// errorf makes an error with the status to answer it with.
func errorf(status int, format string, args ...any) error {
	return &adminapi.Error{Status: status, Err: fmt.Errorf(format, args...)}
}

func (s *server) viewOf(current *page, data any) view {
	v := view{Title: current.title, Scripts: current.scripts, Version: buildinfo.Version(), Data: data}
	if titled, ok := data.(interface{ Title() string }); ok {
		v.Title = titled.Title()
	}
	for _, p := range pages {
		if p.label != "" {
			v.Nav = append(v.Nav, navigation{Label: p.label, Path: strings.TrimSuffix(p.pattern, "{$}"), Current: p.pattern == current.pattern})
		}
	}
	return v
}

// render writes a page, or an error if its template fails.
func (s *server) render(w http.ResponseWriter, status int, name string, v view) {
	var out bytes.Buffer
	if err := s.sets[name].ExecuteTemplate(&out, "layout.html", v); err != nil {
		http.Error(w, "500: the page "+name+" cannot be shown: "+sanitize.String(err.Error(), sanitize.MaxText), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	defer hurry(w)()
	_, _ = w.Write(out.Bytes()) // the browser may have left
}
