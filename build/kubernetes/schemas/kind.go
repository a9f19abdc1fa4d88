package main

import (
	"encoding/json"
	"maps"
	"strings"
)

// kind is what a manifest says of itself.
type kind struct{ Group, Version, Kind string }

// kindOf returns the kind that a definition describes. Definitions for several kinds,
// such as DeleteOptions, are arguments of requests; they are in no manifest.
func kindOf(definition object) (kind, bool) {
	encoded, err := json.Marshal(definition["x-kubernetes-group-version-kind"])
	if err != nil {
		return kind{}, false
	}
	var kinds []kind
	if json.Unmarshal(encoded, &kinds) != nil || len(kinds) != 1 {
		return kind{}, false
	}
	return kinds[0], true
}

func (k kind) apiVersion() string {
	if k.Group == "" {
		return k.Version
	}
	return k.Group + "/" + k.Version
}

// file is the name that kubeconform asks for: of a group, it uses the first label.
func (k kind) file() string {
	name := k.Kind
	if k.Group != "" {
		first, _, _ := strings.Cut(k.Group, ".")
		name += "-" + first
	}
	return strings.ToLower(name+"-"+k.Version) + ".json"
}

// pin makes a definition a schema by itself that holds for this kind only. The API
// server needs apiVersion and kind of every manifest; the document requires neither.
func (k kind) pin(definition object, parts map[string]object) object {
	schema := maps.Clone(definition)
	properties, _ := definition["properties"].(object)
	if properties = maps.Clone(properties); properties == nil {
		properties = make(object)
	}
	properties["apiVersion"] = object{"const": k.apiVersion()}
	properties["kind"] = object{"const": k.Kind}
	schema["properties"] = properties
	required, _ := schema["required"].([]any)
	schema["required"] = append([]any{"apiVersion", "kind"}, required...)
	schema["definitions"] = parts
	return schema
}
