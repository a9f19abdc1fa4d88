// Package secretref says what is wrong with the placeholders that stand for secrets in
// a configuration, without quoting a value.
package secretref

import (
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/scopegate/scopegate/internal/regularfile"
)

// one matches a value that is one placeholder for a file or an environment variable.
var one = regexp.MustCompile(`^\{(file\.[^{}]+|env\.[A-Za-z_][A-Za-z0-9_]*)\}$`)

// IsOne reports whether a value is one placeholder for a file or an environment variable
// and nothing else.
func IsOne(value string) bool { return one.MatchString(value) }

// Problem says why a placeholder for a file or an environment variable has no
// value, or returns an empty string. It quotes names only.
func Problem(placeholder string) string {
	_, problem := Read(placeholder)
	return problem
}

// maxSecret bounds the file of a secret. Only regular files are read: a FIFO would hold up who
// reads it for ever.
const maxSecret = 1 << 20

// Read returns the value of a placeholder for a file or an environment variable, without
// space around it, or the [Problem] with it. Anything else has neither.
func Read(placeholder string) (value, problem string) {
	found := one.FindStringSubmatch(placeholder)
	if found == nil {
		return "", ""
	}
	kind, name, _ := strings.Cut(found[1], ".")
	if kind == "env" {
		value, set := os.LookupEnv(name)
		if !set {
			return "", fmt.Sprintf("the environment variable %s is not set; set it for this process (%s refers to it)", name, placeholder)
		}
		if value = strings.TrimSpace(value); value == "" {
			return "", fmt.Sprintf("the environment variable %s is empty (%s refers to it)", name, placeholder)
		}
		return value, ""
	}
	content, err := regularfile.Read(name, maxSecret)
	if err != nil {
		return "", fmt.Sprintf("%s cannot be read: %v; check the path, and that this process may read it", placeholder, err)
	}
	if value = strings.TrimSpace(string(content)); value == "" {
		return "", fmt.Sprintf("the file that %s names is empty", placeholder)
	}
	return value, ""
}
