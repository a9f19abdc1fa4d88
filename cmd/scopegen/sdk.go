package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// call is one place in the SDK that sends a request.
type call struct {
	pkg, iface, method string
	// verb is the HTTP method.
	verb string
	// template is the path with its parameters.
	template string
	// account is set if the path contains an account id.
	account bool
	// generated is set for impl.go, which is generated from the API specification;
	// other files hold helpers around the same operations.
	generated bool
	// at is file:line.
	at string
}

// name returns the operation's name: "jobs.RunNow", "compute.Clusters.List". It omits
// the interface only if that has the package's name, so that a new interface never
// changes the name of an existing operation.
func (c *call) name() string {
	if strings.EqualFold(c.iface, c.pkg) {
		return c.pkg + "." + c.method
	}
	return c.pkg + "." + c.iface + "." + c.method
}

// unreadable are the calls whose path is not in the source, with the reason.
var unreadable = map[string]string{
	"serving.ServingEndpointsDataPlane.Query": "the URL comes from the endpoint's description, and the token is made for it",
}

// foreign are the files with strings that look like API paths but are not, with the
// reason.
var foreign = map[string]string{
	"apierr/error_overrides.go":         "recognizes paths in errors",
	"client/client.go":                  "rewrites a doubled slash of the Files API",
	"service/provisioning/ext_azure.go": "an Azure resource id",
}

// sdk is the parsed source of databricks-sdk-go.
type sdk struct {
	fset *token.FileSet
	// files are the parsed files by slash-separated path.
	files map[string]*ast.File
	// rel maps names on disk to the keys of files.
	rel map[string]string
	// structs are the struct types of each package, for the comments of fields.
	structs map[string]map[string]*ast.StructType
	names   *resourceNames
	// consumed are the string literals that belong to a call.
	consumed map[*ast.BasicLit]bool
	calls    []call
	problems []error
}

// readSDK returns every call in the source below dir. A call that it does not
// understand is an error.
func readSDK(dir string, names *resourceNames) ([]call, error) {
	s := &sdk{
		fset:     token.NewFileSet(),
		files:    make(map[string]*ast.File),
		rel:      make(map[string]string),
		structs:  make(map[string]map[string]*ast.StructType),
		names:    names,
		consumed: make(map[*ast.BasicLit]bool),
	}
	if err := s.parse(dir); err != nil {
		return nil, err
	}
	accounts, err := s.clients()
	if err != nil {
		return nil, err
	}
	order := make([]string, 0, len(s.files))
	for file := range s.files {
		order = append(order, file)
	}
	slices.Sort(order)
	for _, file := range order {
		for _, decl := range s.files[file].Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Body != nil {
				s.readFunc(file, f)
			}
		}
	}
	s.checkClients(accounts)
	s.checkConsumed(order)
	s.problems = append(s.problems, names.check(s.calls)...)
	if len(s.calls) == 0 {
		s.problems = append(s.problems, fmt.Errorf("reading %s: it has no operations", dir))
	}
	return s.calls, errors.Join(s.problems...)
}

// parse reads the packages that run in a client: not tests, examples, mocks or the
// SDK's own tools.
func (s *sdk) parse(dir string) error {
	return filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("reading the SDK: %w", err)
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if entry.IsDir() {
			if slices.Contains([]string{"internal", "examples", "experimental/mocks", "qa"}, rel) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(rel, ".go") || strings.HasSuffix(rel, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(s.fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return fmt.Errorf("parsing the SDK: %w", err)
		}
		s.files[rel], s.rel[name] = file, rel
		pkg := path.Dir(rel)
		if s.structs[pkg] == nil {
			s.structs[pkg] = make(map[string]*ast.StructType)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if st, ok := spec.Type.(*ast.StructType); ok {
					s.structs[pkg][spec.Name.Name] = st
				}
			}
			return true
		})
		return nil
	})
}

func (s *sdk) fail(n ast.Node, format string, args ...any) {
	s.problems = append(s.problems, fmt.Errorf("%s: %w", s.at(n), fmt.Errorf(format, args...)))
}

// at returns file:line of n relative to the root of the SDK, which does not depend on
// the machine.
func (s *sdk) at(n ast.Node) string {
	pos := s.fset.Position(n.Pos())
	return s.rel[pos.Filename] + ":" + strconv.Itoa(pos.Line)
}

// checkConsumed reports paths in the source that belong to no call. They mean that
// the SDK has a way to send requests that readFunc does not know.
func (s *sdk) checkConsumed(order []string) {
	for _, file := range order {
		ast.Inspect(s.files[file], func(n ast.Node) bool {
			if _, ok := n.(*ast.ImportSpec); ok {
				return false
			}
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING || s.consumed[lit] {
				return true
			}
			text, err := strconv.Unquote(lit.Value)
			if err != nil || !strings.Contains(text, "/api/") && !(strings.HasPrefix(file, "service/") && len(text) > 1 && text[0] == '/') {
				return true
			}
			if foreign[file] == "" {
				s.fail(lit, "%s is a path outside any call that could be read", lit.Value)
			}
			return true
		})
	}
}
