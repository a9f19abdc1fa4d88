package routesfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/internal/regularfile"
	"github.com/scopegate/scopegate/scopes"
)

// Merged says what a merge did with each row.
type Merged struct {
	// Added are rows that the file did not have, and Replaced those that stand in the
	// place of a row with other needs.
	Added, Replaced []scopes.Operation
	// Same are rows that the file has already.
	Same []scopes.Operation
}

// Changed reports whether the file was written.
func (m *Merged) Changed() bool { return len(m.Added)+len(m.Replaced) > 0 }

// Merge puts rows into a routes file, which is created if there is none. A row replaces
// the one in the file with the same method and the same template, apart from parameter
// names. Rows of the file for other paths of the same operation get its needs, because
// those of one operation are the same. What was there stays as a comment. All other lines
// stay as they are, and the comment is put above rows that are added.
//
// The file is replaced as a whole, and only by one that [Load] accepts over the same catalog:
// after an error, which names the file, it is as it was.
func Merge(path, comment string, rows []scopes.Operation, over *scopes.Catalog) (*Merged, error) {
	old, err := regularfile.Read(path, maxSize)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	before, err := Parse(old, path, over)
	if err != nil {
		return nil, fmt.Errorf("nothing was written, because the file that is there cannot be loaded: %w", err)
	}
	content, merged, err := merge(old, before.Catalog, comment, rows)
	if err != nil || !merged.Changed() {
		return merged, err
	}
	if _, err := Parse(content, path, over); err != nil {
		return nil, fmt.Errorf("nothing was written, because the result could not be loaded: %w", err)
	}
	if err := regularfile.Replace(path, content); err != nil {
		return nil, fmt.Errorf("nothing was written: %w", err)
	}
	return merged, nil
}

// merge returns the content of a file with the rows in it. The catalog has the names of
// the file's rows.
func merge(old []byte, catalog *scopes.Catalog, comment string, rows []scopes.Operation) ([]byte, *Merged, error) {
	var out bytes.Buffer
	merged := new(Merged)
	left, byName := make(map[string]*scopes.Operation, len(rows)), make(map[string]*scopes.Operation, len(rows))
	for i := range rows {
		left[key(&rows[i])], byName[rows[i].Name] = &rows[i], &rows[i]
	}
	names := namesOf(catalog)
	for line := range bytes.Lines(old) {
		row := parseLine(line)
		by := (*scopes.Operation)(nil)
		if row != nil {
			by = left[key(row)]
			delete(left, key(row))
			if same := byName[names[key(row)]]; by == nil && same != nil && same.Access == row.Access {
				by = elsewhere(same, row)
			}
		}
		switch {
		case by == nil:
			out.Write(line)
		case sameNeeds(row, by):
			merged.Same = append(merged.Same, *by)
			out.Write(line)
		default:
			if by.Effect == scopes.Unclassed && row.Effect != scopes.Unclassed {
				by = elsewhere(by, by)
				by.Effect, by.EffectReason = row.Effect, row.EffectReason // what the operator wrote stays
			}
			merged.Replaced = append(merged.Replaced, *by)
			if was := fmt.Sprintf("# replaced: %s\n", bytes.TrimRight(line, "\r\n")); len(was) <= maxBytes {
				out.WriteString(was)
			}
			if err := writeRow(&out, by); err != nil {
				return nil, nil, err
			}
		}
		if !bytes.HasSuffix(line, []byte("\n")) {
			out.WriteByte('\n')
		}
	}
	for i := range rows {
		if left[key(&rows[i])] != &rows[i] {
			continue
		}
		if len(merged.Added) == 0 && comment != "" {
			fmt.Fprintf(&out, "# %s\n", comment)
		}
		merged.Added = append(merged.Added, rows[i])
		if err := writeRow(&out, &rows[i]); err != nil {
			return nil, nil, err
		}
	}
	return out.Bytes(), merged, nil
}

// elsewhere returns a row with what it says for another path of its operation.
func elsewhere(row, path *scopes.Operation) *scopes.Operation {
	other := *row
	other.Method, other.Template = path.Method, path.Template
	return &other
}

// namesOf returns the names of a catalog's rows by key.
func namesOf(catalog *scopes.Catalog) map[string]string {
	all := catalog.Operations()
	names := make(map[string]string, len(all))
	for i := range all {
		names[key(&all[i])] = all[i].Name
	}
	return names
}

// parseLine returns the row in a line, nil if there is none. The line is one of a file
// that was parsed.
func parseLine(line []byte) *scopes.Operation {
	rows, err := scopes.Parse(bytes.NewReader(line), "")
	if err != nil || len(rows) == 0 {
		return nil
	}
	return &rows[0]
}

func writeRow(out *bytes.Buffer, row *scopes.Operation) error {
	var text bytes.Buffer
	if err := scopes.Format(&text, []scopes.Operation{*row}); err != nil {
		return err
	}
	_, line, _ := bytes.Cut(text.Bytes(), []byte("\n")) // after the names of the columns
	out.Write(line)
	return nil
}

func sameNeeds(a, b *scopes.Operation) bool {
	return a.Access == b.Access && a.Optional == b.Optional && slices.Equal(a.AnyOf, b.AnyOf)
}

// key is equal for rows of which a catalog has one.
func key(o *scopes.Operation) string {
	return o.Method + " " + parameter.ReplaceAllStringFunc(o.Template, func(name string) string {
		if name == "/*" || strings.HasSuffix(name, "...}") {
			return "/*"
		}
		return "{}"
	})
}

// parameter matches what stands for text in a template.
var parameter = regexp.MustCompile(`/\*$|/\{[^{}]*\.\.\.\}$|\{[^{}]*\}`)
