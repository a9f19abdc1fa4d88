package sanitize

import "strings"

// maxName bounds the name of an entity, in bytes.
const maxName = len("NegativeVeryThinSpace")

// entities are those that may stand in a credential, start another escape, or cannot be seen.
// Go's table of them, which is complete, is private.
var entities = map[string]rune{
	"amp": '&', "AMP": '&', "lt": '<', "LT": '<', "gt": '>', "GT": '>', "quot": '"', "QUOT": '"', "apos": '\'',
	"percnt": '%', "bsol": '\\', "num": '#', "equals": '=', "plus": '+', "sol": '/', "colon": ':', "semi": ';', "comma": ',',
	"lowbar": '_', "UnderBar": '_', "hyphen": '-', "dash": '-', "period": '.', "commat": '@', "excl": '!', "quest": '?',
	"lbrace": '{', "lcub": '{', "rbrace": '}', "rcub": '}', "Tab": '\t', "NewLine": '\n', "nbsp": ' ', "NonBreakingSpace": ' ',
	"shy": 0xad, "zwj": 0x200d, "zwnj": 0x200c, "lrm": 0x200e, "rlm": 0x200f, "NoBreak": 0x2060,
	"ZeroWidthSpace": 0x200b, "NegativeThinSpace": 0x200b, "NegativeMediumSpace": 0x200b, "NegativeThickSpace": 0x200b,
	"NegativeVeryThinSpace": 0x200b, "ApplyFunction": 0x2061, "af": 0x2061, "InvisibleTimes": 0x2062, "it": 0x2062,
	"InvisibleComma": 0x2063, "ic": 0x2063,
	"ee": 'e', "ExponentialE": 'e', "exponentiale": 'e', "ii": 'i', "ImaginaryI": 'i', "dd": 'd', "DifferentialD": 'd', "DD": 'D',
	"CapitalDifferentialD": 'D', "planckh": 'h', "ell": 'l', "oscr": 'o', "order": 'o', "orderof": 'o',
}

// oldEntities need no semicolon.
var oldEntities = []string{"amp", "AMP", "lt", "LT", "gt", "GT", "quot", "QUOT", "shy", "nbsp"}

// decodeName decodes an entity that has a name.
func decodeName(text []byte) (rune, int, bool) {
	end := 1
	for end < len(text) && end <= maxName && isAlphanumeric(text[end]) {
		end++
	}
	if name := text[1:end]; end < len(text) && text[end] == ';' {
		if r, ok := entities[string(name)]; ok {
			return r, end + 1, true
		}
		if len(name) > 1 {
			switch string(name[1:]) {
			case "fr", "opf", "scr": // letters of mathematics
				return rune(name[0]), end + 1, true
			}
		}
		return 0, 0, false
	}
	for _, name := range oldEntities {
		if len(text) > len(name) && string(text[1:1+len(name)]) == name {
			return entities[name], 1 + len(name), true
		}
	}
	return 0, 0, false
}

// isNameCut reports whether a text is the beginning of an entity's name.
func isNameCut(text []byte) bool {
	if len(text) > maxName {
		return false
	}
	for name := range entities {
		if strings.HasPrefix(name, string(text)) {
			return true
		}
	}
	return false
}

func isAlphanumeric(c byte) bool {
	return is(c, kindPacked) && is(c, kindToken) && c != '-' && c != '_'
}
