package audit

import (
	"strconv"
	"time"

	"github.com/scopegate/scopegate/internal/sanitize"
)

// attributeEncoder writes the attributes of a record in the form of one exporter.
type attributeEncoder interface {
	text(f *field, text string) // sanitized, and so valid UTF-8
	words(f *field, words *[]string)
	number(f *field, number int64)
	seconds(f *field, d time.Duration)
	truth(f *field, truth bool)
}

// lineEncoder writes the fields of a line.
type lineEncoder interface {
	attributeEncoder
	time(f *field, t time.Time)
}

// encodeLine writes every field.
func encodeLine(r *Record, to lineEncoder) {
	for i := range fields {
		f := &fields[i]
		switch f.kind {
		case textKind, methodKind:
			to.text(f, f.text(r))
		case untrustedKind:
			to.text(f, safeText(f.text(r)))
		case wordsKind:
			to.words(f, safeWords(f.words(r)))
		case numberKind, idKind:
			to.number(f, f.number(r))
		case secondsKind:
			to.seconds(f, f.seconds(r))
		case truthKind:
			to.truth(f, f.truth(r))
		case arrivedKind:
			to.time(f, r.Time)
		}
	}
}

// maxText bounds texts that no client chooses, in bytes.
const maxText = 4096

func safeText(text string) string { return sanitize.String(text, maxText) }

// safeWords sanitizes words. Nearly always that changes none, and it returns the same ones.
func safeWords(words *[]string) *[]string {
	for i, word := range *words {
		if safeText(word) == word {
			continue
		}
		safe := append([]string(nil), *words...)
		for ; i < len(safe); i++ {
			safe[i] = safeText(safe[i])
		}
		return &safe
	}
	return words
}

// otherMethod is the attribute of a method that HTTP does not define.
const otherMethod = "_OTHER"

// encodeAttributes writes the fields that are attributes and not empty.
func encodeAttributes(r *Record, to attributeEncoder) {
	for i := range fields {
		f := &fields[i]
		if f.key == "" {
			continue
		}
		switch f.kind {
		case textKind:
			if text := f.text(r); text != "" {
				to.text(f, text)
			}
		case untrustedKind:
			if text := f.text(r); text != "" {
				to.text(f, safeText(text))
			}
		case methodKind:
			switch method := f.text(r); {
			case isKnownMethod(method):
				to.text(f, method)
			case method != "":
				to.text(f, otherMethod)
			}
		case wordsKind:
			if words := f.words(r); len(*words) > 0 {
				to.words(f, safeWords(words))
			}
		case numberKind:
			if number := f.number(r); number != 0 {
				to.number(f, number)
			}
		case idKind:
			if number := f.number(r); number != 0 {
				to.text(f, strconv.FormatInt(number, 10))
			}
		case secondsKind:
			if duration := f.seconds(r); duration != 0 {
				to.seconds(f, duration)
			}
		case truthKind:
			to.truth(f, f.truth(r))
		}
	}
}
