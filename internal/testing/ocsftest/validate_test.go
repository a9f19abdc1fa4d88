package ocsftest

import (
	"strings"
	"testing"
)

// TestValidate: the checks find what they are for.
func TestValidate(t *testing.T) {
	t.Parallel()
	const good = `{"class_uid":6003,"class_name":"API Activity","category_uid":6,"category_name":"Application Activity","activity_id":2,"activity_name":"Read",` +
		`"type_uid":600302,"type_name":"API Activity: Read","time":1772366400250,"severity_id":1,"metadata":{"version":"1.8.0","product":{"name":"x"},"profiles":["security_control"]},` +
		`"action_id":1,"actor":{"user":{"uid":"1"}},"api":{"operation":"jobs.List"},"src_endpoint":{"ip":"10.0.0.1"},"unmapped":{"a":[1]}}` + "\n"
	if err := Validate([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]struct{ from, to, says string }{
		"two events":            {good, good + good, "not one line"},
		"another class":         {`:6003,`, `:6004,`, "class_uid 6004"},
		"another version":       {`1.8.0`, `1.0.0`, "1.0.0 in the place of 1.8.0"},
		"type":                  {`600302`, `600303`, "600303 in the place"},
		"required":              {`"severity_id":1,`, ``, "severity_id is required"},
		"required below":        {`"operation":"jobs.List"`, ``, "api.operation is required"},
		"no attribute":          {`"uid":"1"`, `"uid":"1","id":1`, "actor.user.id is no attribute"},
		"enumeration":           {`"severity_id":1`, `"severity_id":9`, "severity_id is 9, not one of"},
		"caption":               {`"activity_name":"Read"`, `"activity_name":"Write"`, `activity_id is 2, which is "Read"`},
		"text for a number":     {`1772366400250`, `"now"`, "time is now, not of type"},
		"fraction":              {`1772366400250`, `1.5`, "time is 1.5, not of type"},
		"no address":            {`10.0.0.1`, `somewhere`, "src_endpoint.ip is somewhere"},
		"one of":                {`"ip":"10.0.0.1"`, ``, "src_endpoint.needs one of"},
		"profile":               {`,"profiles":["security_control"]`, ``, "action_id is of profile security_control"},
		"array":                 {`["security_control"]`, `"security_control"`, "metadata.profiles is no array"},
		"object":                {`{"operation":"jobs.List"}`, `"jobs.List"`, "api is no object"},
		"not an event":          {good, "[]\n", "cannot unmarshal"},
		"attribute of no class": {`"unmapped"`, `"mapped"`, "mapped is no attribute"},
	} {
		changed := strings.Replace(good, change.from, change.to, 1)
		if err := Validate([]byte(changed)); err == nil || !strings.Contains(err.Error(), change.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
