package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// object is a JSON object: a definition, or a part of one.
type object = map[string]any

const refPrefix = "#/definitions/"

// derive returns one schema for each kind of an OpenAPI document, by the file name that
// kubeconform's template {{.ResourceKind}}{{.KindSuffix}}.json asks for.
func derive(document []byte) (map[string][]byte, error) {
	var swagger struct{ Definitions map[string]object }
	if err := json.Unmarshal(document, &swagger); err != nil {
		return nil, fmt.Errorf("reading the OpenAPI document: %w", err)
	}
	for name, definition := range swagger.Definitions {
		if loose, ok := scalars[name]; ok {
			swagger.Definitions[name] = loose
			continue
		}
		tighten(definition)
	}
	files := make(map[string][]byte)
	for name, definition := range swagger.Definitions {
		kind, ok := kindOf(definition)
		if !ok {
			continue
		}
		parts := make(map[string]object)
		if err := collect(parts, swagger.Definitions, definition); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		schema, err := json.Marshal(kind.pin(definition, parts))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if _, twice := files[kind.file()]; twice {
			return nil, fmt.Errorf("two definitions for %s %s/%s", kind.Kind, kind.Group, kind.Version)
		}
		files[kind.file()] = schema
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("the document defines no kinds")
	}
	return files, nil
}

// scalars are definitions whose type in the document is narrower than what the API
// server reads: it says "string" of both.
var scalars = map[string]object{
	"io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": []string{"string", "integer"}},
	"io.k8s.apimachinery.pkg.api.resource.Quantity":   {"type": []string{"string", "number"}},
}

// tighten forbids members that an object does not list, at every depth. Null is refused
// too, though the API server drops it: in a manifest it is a value somebody forgot.
func tighten(value any) {
	switch value := value.(type) {
	case object:
		if _, lists := value["properties"].(object); lists && value["additionalProperties"] == nil && value["x-kubernetes-preserve-unknown-fields"] != true {
			value["additionalProperties"] = false
		}
		for key, part := range value {
			if key == "properties" {
				// Its keys are names of members, not of the schema's own.
				for _, member := range part.(object) {
					tighten(member)
				}
				continue
			}
			tighten(part)
		}
	case []any:
		for _, part := range value {
			tighten(part)
		}
	}
}

// collect adds what a schema refers to, and what that refers to. References stay what
// they are, because some definitions contain themselves.
func collect(parts, all map[string]object, value any) error {
	switch value := value.(type) {
	case object:
		if ref, ok := value["$ref"].(string); ok {
			name, local := strings.CutPrefix(ref, refPrefix)
			part, defined := all[name]
			if !local || !defined {
				return fmt.Errorf("%s is not defined", ref)
			}
			if _, done := parts[name]; !done {
				parts[name] = part
				return collect(parts, all, part)
			}
			return nil
		}
		for _, key := range slices.Sorted(maps.Keys(value)) {
			if err := collect(parts, all, value[key]); err != nil {
				return err
			}
		}
	case []any:
		for _, part := range value {
			if err := collect(parts, all, part); err != nil {
				return err
			}
		}
	}
	return nil
}
