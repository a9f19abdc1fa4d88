// Package few shortens lists in sentences.
package few

import (
	"fmt"
	"strings"
)

// most is how many names are listed.
const most = 5

// Names lists the first five names, and counts the others: where all of them would fill the
// screen, a few tell what is meant.
func Names(names []string) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
