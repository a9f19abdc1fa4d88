package scopes

import (
	"fmt"
	"strings"
)

// Effect says whether an operation only reads: the access column of the catalog. The zero
// value is that of a row that says nothing, as in files from before there was the column,
// and counts as [Write].
type Effect uint8

const (
	// Unclassed means that nobody has said what the operation does. It counts as Write.
	Unclassed Effect = iota
	// Read means that the operation changes nothing in the workspace. It may show secrets,
	// take time and cost money.
	Read
	// Write means that the operation may change something, start something, or give out a
	// credential with which something can be changed.
	Write
)

// The words for these in the access column.
const (
	wordRead  = "read"
	wordWrite = "write"
)

// String returns the word of the access column, "" for [Unclassed].
func (e Effect) String() string {
	switch e {
	case Read:
		return wordRead
	case Write:
		return wordWrite
	}
	return ""
}

// Reads reports whether o is known to only read. Whatever is not, such as a path outside
// the catalog and a row that nobody has classed, counts as writing.
func (o *Operation) Reads() bool { return o.Effect == Read }

// reasonSeparator stands between the word of the access column and the reason.
const reasonSeparator = ": "

// access returns the access column of o.
func (o *Operation) access() string {
	if o.EffectReason == "" {
		return o.Effect.String()
	}
	return o.Effect.String() + reasonSeparator + o.EffectReason
}

// setAccess sets Effect and EffectReason from the access column.
func (o *Operation) setAccess(s string) error {
	word, reason, _ := strings.Cut(s, reasonSeparator)
	switch word {
	case "":
		if s != "" {
			return errAccess(s)
		}
	case wordRead:
		o.Effect = Read
	case wordWrite:
		o.Effect = Write
	default:
		return errAccess(s)
	}
	o.EffectReason = reason
	return nil
}

func errAccess(s string) error {
	return fmt.Errorf("access %q: write read or write, or leave it out, which counts as write; a reason may follow, as in %q", s, "read: it only searches")
}

// checkEffect checks Effect and EffectReason.
func (o *Operation) checkEffect() error {
	switch {
	case o.Effect > Write:
		return fmt.Errorf("unknown effect %d", o.Effect)
	case o.Effect == Unclassed && o.EffectReason != "":
		return fmt.Errorf("the reason %q stands for no access: write read or write before it", o.EffectReason)
	case hasControl(o.EffectReason):
		return fmt.Errorf("access %q: write the reason in one line, without tabs", o.access())
	}
	return nil
}

// classAs makes o have the effect of a request that could be any of the operations: it
// reads only if all of them do.
func (o *Operation) classAs(ops []*Operation) {
	for _, op := range ops {
		if o.Reads() && !op.Reads() {
			o.Effect, o.EffectReason = Write, op.EffectReason
			if o.EffectReason == "" {
				o.EffectReason = "it may be " + op.Method + " " + op.Template + ", which is not known to only read"
			}
		}
	}
}

// writeAs makes o write if one of the operations is said to. That they read says nothing of
// o.
func (o *Operation) writeAs(ops []*Operation) {
	for _, op := range ops {
		if op.Effect == Write {
			o.Effect, o.EffectReason = Write, op.EffectReason
			return
		}
	}
}
