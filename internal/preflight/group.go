package preflight

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// identity is whom a process runs as, and the files that say who else is in its group.
type identity struct {
	user, group   int
	passwd, names string // paths of /etc/passwd and /etc/group
}

func currentIdentity() identity {
	return identity{os.Geteuid(), os.Getegid(), "/etc/passwd", "/etc/group"}
}

// strangers says why others than the process and root are in a group, or returns nothing.
// root cannot know whose group it is, so it lets one user have it: the gateway's.
func (i identity) strangers(group int) string {
	if group == 0 {
		return ""
	}
	members := i.members(group)
	name := i.groupName(group)
	switch {
	case i.user != 0 && group != i.group:
		return fmt.Sprintf("its group %s, which is not the gateway's, can read it", name)
	case i.user != 0 && len(members) > 0, len(members) > 1:
		slices.Sort(members)
		return fmt.Sprintf("its group %s can read it, and has %s as members", name, strings.Join(members, ", "))
	}
	return ""
}

// members returns the users of a group, except root and the process's own.
func (i identity) members(group int) (members []string) {
	own := ""
	for _, fields := range records(i.passwd) {
		if len(fields) < 4 {
			continue
		}
		switch user := fields[2]; {
		case user == "0":
		case user == strconv.Itoa(i.user):
			own = fields[0]
		case fields[3] == strconv.Itoa(group):
			members = append(members, fields[0])
		}
	}
	for _, fields := range records(i.names) {
		if len(fields) < 4 || fields[2] != strconv.Itoa(group) {
			continue
		}
		for name := range strings.SplitSeq(fields[3], ",") {
			if name != "" && name != own && name != "root" && !slices.Contains(members, name) {
				members = append(members, name)
			}
		}
	}
	return members
}

// groupName returns what a group is called, or its number.
func (i identity) groupName(group int) string {
	for _, fields := range records(i.names) {
		if len(fields) > 2 && fields[2] == strconv.Itoa(group) {
			return fields[0]
		}
	}
	return strconv.Itoa(group)
}

// records returns the fields of each line of a file. Without the file, as in a container
// from scratch, there are none.
func records(path string) (lines [][]string) {
	content, _ := os.ReadFile(path)
	for line := range strings.Lines(string(content)) {
		lines = append(lines, strings.Split(strings.TrimSpace(line), ":"))
	}
	return lines
}
