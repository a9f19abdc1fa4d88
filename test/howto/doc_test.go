// Package howto runs the pages of docs/howto as scripts, so that a page which rots fails a
// test: what a page says to type is typed, against real gateways and a fake workspace, and what
// it says one sees must be seen.
//
// A page is Markdown. Its fenced blocks are the script:
//
//	console    commands after "$ ", and the lines that they must print, in this order; others
//	           may stand between them. "…" is any text, white space counts once, eight
//	           hexadecimal digits before "…" stand for the ones that are printed, here and below.
//	           A line that begins with "Error:" says that the command must fail. A line that
//	           ends in "[y/N] y" says what is answered.
//	sh         commands that must succeed
//	others     a file, if the first line is a comment with its name
//
// What starts a gateway runs until the end of the page, or until the same command is typed again.
// A comment "<!-- test: name -->" calls a function of the test: what happens between the steps,
// such as a week of traffic. "<!-- test: on a b -->" says on which machines the next block is
// done, instead of the first one.
//
// Files: page_test.go (reading pages), session_test.go (typing), expect_test.go (what is seen),
// service_test.go (gateways), rig_test.go (workspace and names), and a file for each page.
package howto

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/scopegate/scopegate/internal/gatewaycmd"
)

// TestMain makes this test binary serve as the command scopegate.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"scopegate": gatewaycmd.Main})
}
