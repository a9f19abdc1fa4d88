package audit

import (
	"strconv"
	"time"
)

// attributeEncoder writes the attributes of a record in the form of one exporter.
type attributeEncoder interface {
	text(f *field, text string) // valid UTF-8
	words(f *field, words *[]string)
	number(f *field, number int64)
	seconds(f *field, seconds float64)
	truth(f *field, truth bool)
}

// lineEncoder writes the fields of a line. Texts may be any bytes.
type lineEncoder interface {
	attributeEncoder
	time(f *field, t time.Time)
}

// encodeLine writes every field.
func encodeLine(r *Record, to lineEncoder) {
	for i := range fields {
		f := &fields[i]
		switch f.kind {
		case textKind, untrustedKind, methodKind:
			to.text(f, f.text(r))
		case wordsKind:
			to.words(f, f.words(r))
		case numberKind, idKind:
			to.number(f, f.number(r))
		case secondsKind:
			to.seconds(f, f.seconds(r).Seconds())
		case truthKind:
			to.truth(f, f.truth(r))
		case arrivedKind:
			to.time(f, r.Time)
		}
	}
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
				to.text(f, valid(text))
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
				to.words(f, words)
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
				to.seconds(f, duration.Seconds())
			}
		case truthKind:
			to.truth(f, f.truth(r))
		}
	}
}
