package tokens

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/scopegate/scopegate/internal/sanitize"
)

// maxName is the longest name that is believed, in bytes. An e-mail address has at most
// 320.
const maxName = 1 << 10

// NormalName returns the form of a user name in which names are compared: Unicode's
// NFKC, without case, and without white space around it. It is false for a name that a
// person could take for another one: an empty or overlong name, one with a character
// that does not show or that controls how others show, and one that imitates Latin
// letters with those of another script.
func NormalName(name string) (normal string, ok bool) {
	if len(name) > maxName || !utf8.ValidString(name) {
		return "", false
	}
	normal = strings.TrimSpace(foldText(name))
	switch {
	case normal == "", strings.ContainsFunc(normal, invisible), imitates(normal):
		return "", false
	case strings.Contains(normal, "@") && strings.Contains(normal, " "):
		return "", false // an e-mail address has no spaces
	}
	return normal, true
}

// VisibleText returns the form of any text in which it is compared: as [NormalName], but
// with all white space, and without whatever else does not show.
func VisibleText(text string) string {
	if plainText(text) {
		return strings.ToLower(text)
	}
	return strings.Map(func(r rune) rune {
		if invisible(r) {
			return -1
		}
		return r
	}, foldText(text))
}

func foldText(text string) string {
	if plainText(text) {
		return strings.ToLower(text)
	}
	// Folding can undo the normal form. A Caser has state, so it cannot be shared.
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(text)))
}

// plainText reports whether a text has printable ASCII characters only.
func plainText(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// invisible reports whether a character does not show, or stands for one that was lost.
func invisible(r rune) bool {
	return r != ' ' && (r == utf8.RuneError || !unicode.IsPrint(r) || sanitize.Invisible(r))
}

// lookAlikes are letters, without case, that look like letters of ASCII in one case or
// the other.
const lookAlikes = "ıȷɑɡɩᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢʋ" + // Latin
	"αβεζηικμνορτυχωγϲϳ" + // Greek
	"авекмнорстухһіјѕьӏѵԁԛԍԝ" + // Cyrillic
	"օոսցհյզգ" // Armenian

// imitates reports whether a word of a name mixes scripts that are never written
// together, or has none but letters that look like Latin ones.
func imitates(name string) bool {
	if plainText(name) {
		return false
	}
	for word := range strings.FieldsFuncSeq(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) }) {
		if plainText(word) {
			continue
		}
		var scripts scriptSet
		alike := true
		for _, r := range word {
			scripts |= scriptOf(r)
			alike = alike && looksLatin(r)
		}
		if alike || !scripts.together() {
			return true
		}
	}
	return false
}

// looksLatin reports whether a letter is one of ASCII or looks like one, as most of some
// scripts do.
func looksLatin(r rune) bool {
	return r < utf8.RuneSelf || strings.ContainsRune(lookAlikes, r) || unicode.In(r, unicode.Cherokee, unicode.Lisu, unicode.Coptic)
}

// scriptSet is a set of scripts, as far as they must be told apart.
type scriptSet uint8

const (
	latin scriptSet = 1 << iota
	greek
	cyrillic
	eastAsian // Han and what is written with it
	otherScript
)

func scriptOf(r rune) scriptSet {
	switch {
	case unicode.In(r, unicode.Common, unicode.Inherited):
		return 0
	case unicode.Is(unicode.Latin, r):
		return latin
	case unicode.Is(unicode.Greek, r):
		return greek
	case unicode.Is(unicode.Cyrillic, r):
		return cyrillic
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Bopomofo):
		return eastAsian
	}
	return otherScript
}

// together reports whether the scripts are written together in one word.
func (s scriptSet) together() bool {
	return s&(s-1) == 0 || s == latin|eastAsian
}
