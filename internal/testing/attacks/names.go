package attacks

import (
	"net/url"
	"strings"
)

// Volume is the path of a folder of files.
const Volume = "/api/2.0/fs/files/Volumes/main/default/v/"

// FileName is a name of a file as people use them.
type FileName struct{ Name, File string }

// FileNames must pass and arrive unchanged.
var FileNames = []FileName{
	{"plain", "data.csv"},
	{"percent sign", "100%.csv"},
	{"percent sign before a space", "100% sure.csv"},
	{"percent signs", "%%.csv"},
	{"percent sign and digits", "50%25.csv"},
	{"what looks like an escape", "a%20b.csv"},
	{"what looks like a broken escape", "a%zz.csv"},
	{"what looks like bytes", "50%ff"},
	{"semicolon", "a;b.txt"},
	{"semicolons", "a;b;c=d.txt"},
	{"two dots within", "a..b"},
	{"three dots", "a...b"},
	{"dots at the end", "a.."},
	{"dots at the beginning", "..a"},
	{"leading dot", ".hidden"},
	{"leading dots", "...hidden"},
	{"dot at the end", "etc."},
	{"space", "a b.csv"},
	{"spaces", " a  b .csv"},
	{"space at the end", "a "},
	{"not ASCII", "größe.csv"},
	{"Greek", "αβγ.csv"},
	{"Japanese", "日本語.csv"},
	{"Arabic", "ملف.csv"},
	{"emoji", "📈.csv"},
	{"composed", "e\u0301.csv"},
	{"Kelvin sign", "300\u212a.csv"},
	{"long s and dotless i", "\u017f\u0131.csv"},
	{"no-break space", "a\u00a0b.csv"},
	{"zero width joiner", "a\u200db.csv"},
	{"upper case", "UPPER/Case.CSV"},
	{"plus", "a+b.csv"},
	{"tilde", "~a~.csv"},
	{"at", "a@b.csv"},
	{"equals and ampersand", "year=2024&month=1.csv"},
	{"partition", "year=2024/month=01/part-0000.snappy.parquet"},
	{"colon", "2024-01-01T00:00:00.csv"},
	{"comma", "a,b.csv"},
	{"quotes", `it's "a".csv`},
	{"brackets", "a(1)[2]{3}<4>.csv"},
	{"dollar, exclamation mark, asterisk", "$a!*.csv"},
	{"question mark", "why?.csv"},
	{"number sign", "#1.csv"},
	{"bar and caret", "a|b^c`.csv"},
	{"backslash", `a\b.csv`},
	{"underscore", "_delta_log/00000000000000000000.json"},
	{"only digits", "1"},
	{"like another API", "api/2.1/clusters/list"},
	{"like a public path", "oidc/v1/token"},
	{"checkpoint", "_delta_log/_last_checkpoint"},
	{"long", strings.Repeat("long name ", 25)},
	{"deep", strings.Repeat("deep/", 60) + "f"},
	{"unfortunate", "100% of a;b..c (d) é+#?.csv"},
}

// Paths are the ways in which clients write the path of the file: as url.URL does, and with
// every byte except slashes escaped.
func (n FileName) Paths() []string {
	all := ""
	for part := range strings.SplitSeq(n.File, "/") {
		all += "/" + url.PathEscape(part)
	}
	return []string{(&url.URL{Path: Volume + n.File}).EscapedPath(), strings.TrimSuffix(Volume, "/") + all}
}
