// Package ocsftest checks events against the Open Cybersecurity Schema Framework: the facts
// in schema-1.8.0.json, which are those of the classes and objects that scopegate writes.
package ocsftest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
)

//go:embed schema-1.8.0.json
var schemaJSON []byte

type attribute struct {
	Requirement string
	Profile     string
	Type, Base  string
	Object      string
	Array       bool
	Enum        map[string]string // captions by value
}

type shape struct {
	Attributes  map[string]attribute
	Constraints struct {
		AtLeastOne []string `json:"at_least_one"`
	}
}

type class struct {
	shape
	UID             int64
	Caption         string
	CategoryUID     int64  `json:"category_uid"`
	CategoryCaption string `json:"category_caption"`
}

var schema struct {
	Version string
	Classes map[string]class
	Objects map[string]shape
}

func init() {
	if err := json.Unmarshal(schemaJSON, &schema); err != nil {
		panic("ocsftest: " + err.Error())
	}
}

// Validate reports what is wrong with a line that should be one event: what the schema
// requires and it lacks, attributes that the schema does not have, and values of another
// type or outside of an enumeration.
func Validate(line []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	var event map[string]any
	if err := decoder.Decode(&event); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) || bytes.Count(line, []byte("\n")) != 1 || !bytes.HasSuffix(line, []byte("\n")) {
		return errors.New("not one line with one event")
	}
	uid, _ := integer(event["class_uid"])
	for _, c := range schema.Classes {
		if c.UID == uid {
			return errors.Join(c.identity(event), c.check("", event, profilesOf(event)))
		}
	}
	return fmt.Errorf("class_uid %v is none that we know", event["class_uid"])
}

func profilesOf(event map[string]any) (profiles []string) {
	metadata, _ := event["metadata"].(map[string]any)
	all, _ := metadata["profiles"].([]any)
	for _, p := range all {
		profiles = append(profiles, fmt.Sprint(p))
	}
	return profiles
}

// identity checks what an event says of its class and of the schema.
func (c *class) identity(event map[string]any) error {
	activity, _ := integer(event["activity_id"])
	metadata, _ := event["metadata"].(map[string]any)
	for _, is := range []struct{ got, want any }{
		{fmt.Sprint(event["category_uid"]), fmt.Sprint(c.CategoryUID)},
		{event["category_name"], c.CategoryCaption},
		{event["class_name"], c.Caption},
		{fmt.Sprint(event["type_uid"]), fmt.Sprint(c.UID*100 + activity)},
		{event["type_name"], c.Caption + ": " + c.Attributes["activity_id"].Enum[fmt.Sprint(activity)]},
		{metadata["version"], schema.Version},
	} {
		if is.got != is.want {
			return fmt.Errorf("%v in the place of %v", is.got, is.want)
		}
	}
	return nil
}

func (s *shape) check(at string, value map[string]any, profiles []string) error {
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(at+format, args...)) }
	for name, a := range s.Attributes {
		applies := a.Profile == "" || slices.Contains(profiles, a.Profile)
		if _, ok := value[name]; !ok && applies && a.Requirement == "required" {
			problem("%s is required", name)
		}
	}
	for name, v := range value {
		a, ok := s.Attributes[name]
		switch {
		case !ok:
			problem("%s is no attribute", name)
		case a.Profile != "" && !slices.Contains(profiles, a.Profile):
			problem("%s is of profile %s, which metadata.profiles lacks", name, a.Profile)
		default:
			problems = append(problems, a.check(at+name, v, profiles), s.caption(at+name, name, value))
		}
	}
	if names := s.Constraints.AtLeastOne; len(names) > 0 && !slices.ContainsFunc(names, func(name string) bool { return value[name] != nil }) {
		problem("needs one of %s", strings.Join(names, ", "))
	}
	return errors.Join(problems...)
}

// caption checks the text beside an enumeration: that of activity_id is activity_name, and
// others have the name without _id.
func (s *shape) caption(at, name string, value map[string]any) error {
	stem, ok := strings.CutSuffix(name, "_id")
	if !ok {
		return nil
	}
	text, ok := value[stem]
	if !ok {
		text, ok = value[stem+"_name"]
	}
	id := fmt.Sprint(value[name])
	if want := s.Attributes[name].Enum[id]; ok && text != want && id != "99" {
		return fmt.Errorf("%s is %s, which is %q and not %q", at, id, want, text)
	}
	return nil
}

func (a *attribute) check(at string, v any, profiles []string) error {
	if a.Array {
		all, ok := v.([]any)
		if !ok {
			return fmt.Errorf("%s is no array", at)
		}
		one, problems := *a, []error(nil)
		one.Array = false
		for i, v := range all {
			problems = append(problems, one.check(fmt.Sprintf("%s[%d]", at, i), v, profiles))
		}
		return errors.Join(problems...)
	}
	if a.Object != "" {
		object, ok := v.(map[string]any)
		known, described := schema.Objects[a.Object]
		switch {
		case !ok:
			return fmt.Errorf("%s is no object", at)
		case a.Object == "object": // any
			return nil
		case !described:
			return fmt.Errorf("%s: object %s is not in the schema's facts", at, a.Object)
		}
		return known.check(at+".", object, profiles)
	}
	if err := a.scalar(v); err != nil {
		return fmt.Errorf("%s is %w", at, err)
	}
	return nil
}

func (a *attribute) scalar(v any) error {
	kind := a.Base
	if kind == "" {
		kind = a.Type
	}
	ok := false
	switch kind {
	case "string_t":
		var text string
		text, ok = v.(string)
		if _, err := netip.ParseAddr(text); a.Type == "ip_t" && err != nil {
			ok = false
		}
	case "integer_t", "long_t":
		_, ok = integer(v)
	case "boolean_t":
		_, ok = v.(bool)
	}
	if !ok {
		return fmt.Errorf("%v, not of type %s", v, a.Type)
	}
	if _, known := a.Enum[fmt.Sprint(v)]; len(a.Enum) > 0 && a.Type != "" && !known && !identifies(a.Enum) {
		return fmt.Errorf("%v, not one of %v", v, a.Enum)
	}
	return nil
}

// identifies reports whether the facts have only the base event's value of class_uid or
// category_uid, which the class states itself.
func identifies(enum map[string]string) bool { return len(enum) == 1 && enum["0"] != "" }

func integer(v any) (int64, bool) {
	number, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	n, err := number.Int64()
	return n, err == nil
}
