package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/scopegate/scopegate/internal/didyoumean"
)

// parseConfig reads a configuration. Errors name the line that is wrong.
func parseConfig(text []byte) (*Config, error) {
	var document yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, errors.New("the configuration is empty; it needs image, workspace and credential")
	} else if err != nil {
		return nil, plainYAML(err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("the configuration must be one YAML document")
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, at(root, "the configuration must be a mapping, such as image: scopegate/scopegate:<version>")
	}
	config := defaults()
	strict := yaml.NewDecoder(bytes.NewReader(text))
	strict.KnownFields(true)
	if err := strict.Decode(&config); err != nil {
		return nil, plainYAML(err)
	}
	if err := (&check{root: root, config: &config}).all(); err != nil {
		return nil, err
	}
	return &config, nil
}

// at is an error with a line.
func at(node *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("line %d: "+format, append([]any{node.Line}, args...)...)
}

var (
	unknownField = regexp.MustCompile(`field (\S+) not found in type (\S+)`)
	wrongType    = regexp.MustCompile("cannot unmarshal !!(\\S+)( `[^`]*`)? into (\\S+)")
)

// members are the names that the types of the configuration know.
var members = map[string][]string{
	"webhook.Config":              {"image", "imagePullPolicy", "workspace", "mode", "credential", "extraArgs", "resources", "runAsUser", "runAsGroup", "ports", "probes", "env", "allowOverrides", "allowHostPaths", "allowCapabilities"},
	"webhook.Credential":          {"secret", "authority"},
	"webhook.SecretCredential":    {"name", "configFile", "profile", "clientID", "clientSecret"},
	"webhook.AuthorityCredential": {"urls", "audience", "expirationSeconds", "trust"},
	"webhook.Trust":               {"configMap", "key"},
	"webhook.Resources":           {"requests", "limits"},
	"webhook.Ports":               {"proxy", "health"},
	"webhook.Overrides":           {"workspace", "mode", "image"},
}

// plainYAML says what is wrong without the names of Go types.
func plainYAML(err error) error {
	text := err.Error()
	var typed *yaml.TypeError
	if errors.As(err, &typed) && len(typed.Errors) > 0 {
		text = strings.Join(typed.Errors, "; ")
	}
	text = unknownField.ReplaceAllStringFunc(text, func(found string) string {
		parts := unknownField.FindStringSubmatch(found)
		return fmt.Sprintf("unknown field %q; %s", parts[1], didyoumean.Hint(parts[1], members[parts[2]]))
	})
	text = wrongType.ReplaceAllStringFunc(text, func(found string) string {
		parts := wrongType.FindStringSubmatch(found)
		return fmt.Sprintf("expected %s, found %s%s", kindOf(parts[3]), kindOf(parts[1]), parts[2])
	})
	return errors.New(strings.TrimPrefix(text, "yaml: "))
}

// kindOf names a type of Go or YAML.
func kindOf(name string) string {
	switch {
	case strings.HasPrefix(name, "[]") || name == "seq":
		return "a list"
	case strings.HasPrefix(name, "map") || strings.HasPrefix(name, "webhook."):
		return "a mapping"
	case strings.HasPrefix(name, "int") || name == "float":
		return "a number"
	case name == "bool":
		return "true or false"
	case name == "null":
		return "nothing"
	}
	return "text"
}

// find returns the value at a path of names, or the nearest that exists above it.
func find(node *yaml.Node, path ...string) *yaml.Node {
	for _, name := range path {
		next := (*yaml.Node)(nil)
		for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == name {
				next = node.Content[i+1]
			}
		}
		if next == nil {
			return node
		}
		node = next
	}
	return node
}
