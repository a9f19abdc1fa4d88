package tokens

import (
	"strings"
	"testing"
)

func TestNormalName(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, given, want string }{
		{"plain", "bob@x.com", "bob@x.com"},
		{"case and white space", " BOB@x.com\u00a0\u3000", "bob@x.com"},
		{"full width", "ｂｏｂ＠ｘ．ｃｏｍ", "bob@x.com"},
		{"mathematical letters", "𝐛𝐨𝐛@x.com", "bob@x.com"},
		{"ligature", "ﬁona@x.com", "fiona@x.com"},
		{"sharp s", "Straße@x.com", "strasse@x.com"},
		{"composed", "jose\u0301@x.com", "josé@x.com"},
		{"an application id", "8A7B6C5D-0000-4000-8000-000000000001", "8a7b6c5d-0000-4000-8000-000000000001"},
		{"Cyrillic", "николай@пример.рф", "николай@пример.рф"},
		{"Japanese", "山田タロウ@例え.jp", "山田タロウ@例え.jp"},
		{"Latin in a Japanese word", "山田tanaka@x.com", "山田tanaka@x.com"},
		{"Greek beside Latin", "δημήτρης@x.com", "δημήτρησ@x.com"},
		{"a name with a space", "Bob Builder", "bob builder"},

		{"empty", "", ""},
		{"blank", " \t\u00a0", ""},
		{"not UTF-8", "bob\xff@x.com", ""},
		{"a lost character", "bob\ufffd@x.com", ""},
		{"NUL", "bob\x00@x.com", ""},
		{"NUL at the end", "bob@x.com\x00", ""},
		{"a tab", "bob\t@x.com", ""},
		{"a line break", "bob@x.com\nalice@x.com", ""},
		{"a C1 control", "bob\u009b@x.com", ""},
		{"zero width space", "b\u200bob@x.com", ""},
		{"zero width joiner at the end", "bob@x.com\u200d", ""},
		{"byte order mark", "\ufeffbob@x.com", ""},
		{"soft hyphen", "b\u00adob@x.com", ""},
		{"right-to-left override", "\u202emoc.x@bob", ""},
		{"combining grapheme joiner", "b\u034fob@x.com", ""},
		{"variation selector", "b\ufe0fob@x.com", ""},
		{"a tag", "bob\U000e0062@x.com", ""},
		{"Hangul filler", "bob\u3164@x.com", ""},
		{"braille blank", "bob\u2800@x.com", ""},
		{"private use", "bob\ue000@x.com", ""},
		{"unassigned", "bob\U000e0fff@x.com", ""},
		{"a space in an address", "bob @x.com", ""},
		{"Cyrillic o in a Latin word", "bоb@x.com", ""},
		{"Greek letters in a Latin word", "bοb@x.com", ""},
		{"Cyrillic that looks like Latin", "сосо@x.com", ""},
		{"Cyrillic capitals that look like Latin", "ВОВ@x.com", ""},
		{"Cherokee", "ᏴᎾᏴ@x.com", ""},
		{"small capitals", "ʙᴏʙ@x.com", ""},
		{"dotless i", "bıll@x.com", ""},
		{"Armenian in a Latin word", "bօb@x.com", ""},
		{"too long", strings.Repeat("a", maxName+1), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, ok := NormalName(test.given)
			if got != test.want || ok != (test.want != "") {
				t.Errorf("got %q, %v, want %q", got, ok, test.want)
			}
		})
	}
}

func TestPrincipal(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		of     Principal
		id     int64
		called string
		text   string
	}{
		{"unknown", Principal{}, 0, "", "unknown"},
		{"none", NoPrincipal, 0, "", ""},
		{"a number", NewPrincipal(7, ""), 7, "", "7"},
		{"a name", NewPrincipal(0, "Bob"), 0, "Bob", "Bob"},
		{"both", NewPrincipal(7, "Bob"), 7, "Bob", "Bob"},
		{"a number and a name that is not believed", NewPrincipal(7, "b\u200bob"), 7, "", "7"},
		{"a name that is not believed", NewPrincipal(0, "\x00"), 0, "", "unknown"},
	} {
		t.Run(test.name, func(t *testing.T) {
			id, numbered := test.of.ID()
			name, named := test.of.Name()
			if id != test.id || numbered != (id != 0) || name != test.called || named != (name != "") || test.of.String() != test.text {
				t.Errorf("got %d %v, %q %v, %q", id, numbered, name, named, test.of)
			}
			if test.of.None() != (test.name == "none") {
				t.Error("none is wrong")
			}
		})
	}
}

func FuzzNormalName(f *testing.F) {
	for _, seed := range []string{"bob@x.com", " BOB@x.com", "ｂｏｂ", "b\u200bob", "Straße", "İ", "bоb", "山田タロウ", "\xff", "a\u0345\u0308"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		normal, ok := NormalName(name)
		if !ok {
			if normal != "" {
				t.Errorf("%q is not believed, and its form is %q", name, normal)
			}
			return
		}
		if strings.ContainsFunc(normal, invisible) || normal != strings.TrimSpace(normal) {
			t.Errorf("%q has the form %q", name, normal)
		}
		// What a person cannot tell apart has one form.
		for _, same := range []string{" " + name + "\u00a0", strings.ToLower(normal)} {
			if len(same) > maxName {
				continue
			}
			if again, ok := NormalName(same); !ok || again != normal {
				t.Errorf("%q has the form %q, %q has %q, %v", name, normal, same, again, ok)
			}
		}
		if visible := strings.TrimSpace(VisibleText(name)); visible != normal {
			t.Errorf("%q has the form %q, and %q as text", name, normal, visible)
		}
	})
}
