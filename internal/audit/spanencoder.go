package audit

import (
	"context"
	"math"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// Tags of fields of OTLP's messages: the number of the field, from
// opentelemetry/proto, with the type that follows. All but the last take one byte.
const (
	lengthType  = byte(protowire.BytesType)
	varintType  = byte(protowire.VarintType)
	fixed32Type = byte(protowire.Fixed32Type)
	fixed64Type = byte(protowire.Fixed64Type)

	tagSpans = 2<<3 | lengthType // of ScopeSpans

	// Of Span.
	tagTraceID    = 1<<3 | lengthType
	tagSpanID     = 2<<3 | lengthType
	tagName       = 5<<3 | lengthType
	tagKind       = 6<<3 | varintType
	tagStart      = 7<<3 | fixed64Type
	tagEnd        = 8<<3 | fixed64Type
	tagAttributes = 9<<3 | lengthType
	tagLinks      = 13<<3 | lengthType
	tagStatus     = 15<<3 | lengthType
	fieldFlags    = 16

	// Of Link, which begins with ids as Span does, and of Status.
	tagLinkFlags = 6<<3 | fixed32Type
	tagMessage   = 2<<3 | lengthType
	tagCode      = 3<<3 | varintType

	// Of KeyValue, AnyValue and ArrayValue.
	tagKey    = 1<<3 | lengthType
	tagValue  = 2<<3 | lengthType
	tagString = 1<<3 | lengthType
	tagBool   = 2<<3 | varintType
	tagInt    = 3<<3 | varintType
	tagDouble = 4<<3 | fixed64Type
	tagArray  = 5<<3 | lengthType
	tagValues = 1<<3 | lengthType
)

const (
	kindServer = 2 // SPAN_KIND_SERVER
	codeError  = 2 // STATUS_CODE_ERROR

	// Flags of spans and links: W3C's, and that it is known of the context whether it
	// was remote, and it was.
	flagsSampled = 1
	flagsRemote  = 0x100 | 0x200
)

// encodedKeys are the fields key of the attributes, as they are in every span.
var encodedKeys = func() (keys [len(fields)][]byte) {
	for i := range fields {
		keys[i] = appendText(nil, tagKey, string(fields[i].key))
	}
	return keys
}()

// spanEncoder encodes records as OTLP's spans.
type spanEncoder struct {
	ids  spanIDs
	span []byte // memory to use again
}

// append appends the span of a record, as one of a message ScopeSpans.
func (e *spanEncoder) append(to []byte, r *Record) []byte {
	e.ids.next = traceIDOf(r)
	traceID, spanID := e.ids.NewIDs(context.Background())
	b := appendIDs(e.span[:0], traceID[:], spanID[:])
	b = appendName(b, r)
	b = appendNumber(b, tagKind, kindServer)
	b = appendFixed64(b, tagStart, uint64(max(0, r.Time.UnixNano())))
	b = appendFixed64(b, tagEnd, uint64(max(0, r.Time.Add(r.Duration).UnixNano())))
	for i := range fields {
		f := &fields[i]
		switch {
		case f.key == "":
		case f.text != nil:
			if text := f.text(r); text != "" {
				b = appendTextAttribute(b, encodedKeys[i], text)
			}
		default:
			if v := f.value(r); v.present() {
				b = appendAttribute(b, encodedKeys[i], &v)
			}
		}
	}
	if caller := &r.Caller; caller.SpanContext().IsValid() {
		b = appendLength(b, tagLinks, sizeIDs+1+4)
		b = appendIDs(b, caller.TraceID[:], caller.SpanID[:])
		b = append(b, tagLinkFlags)
		b = protowire.AppendFixed32(b, uint32(caller.Flags)|flagsRemote)
	}
	if failed(r) {
		message := r.ErrorType()
		b = appendLength(b, tagStatus, sizeText(message)+sizeNumber(codeError))
		b = appendText(b, tagMessage, message)
		b = appendNumber(b, tagCode, codeError)
	}
	b = protowire.AppendTag(b, fieldFlags, protowire.Fixed32Type)
	b = protowire.AppendFixed32(b, flagsSampled)
	e.span = b

	to = appendLength(to, tagSpans, len(b))
	return append(to, b...)
}

// appendName appends the field name.
func appendName(to []byte, r *Record) []byte {
	method, template := spanNameOf(r)
	template = valid(template)
	if template == "" {
		return appendText(to, tagName, method)
	}
	to = appendLength(to, tagName, len(method)+1+len(template))
	to = append(append(to, method...), ' ')
	return append(to, template...)
}

// appendTextAttribute appends an attribute whose key is encoded already, and whose
// value is valid UTF-8.
func appendTextAttribute(to, key []byte, text string) []byte {
	size := 1 + 1 + len(text)
	length := len(key) + 1 + 1 + size
	if length < 0x80 { // as almost always: then all lengths take one byte
		to = append(to, tagAttributes, byte(length))
		to = append(to, key...)
		to = append(to, tagValue, byte(size), tagString, byte(len(text)))
		return append(to, text...)
	}
	size = sizeText(text)
	to = appendLength(to, tagAttributes, len(key)+1+protowire.SizeBytes(size))
	to = append(to, key...)
	to = appendLength(to, tagValue, size)
	return appendText(to, tagString, text)
}

// appendAttribute is the same for other values.
func appendAttribute(to, key []byte, v *value) []byte {
	var size int // of the message AnyValue
	switch v.kind {
	case numberKind, truthKind:
		size = sizeNumber(uint64(v.number))
	case secondsKind:
		size = 1 + 8
	case wordsKind:
		size = 1 + protowire.SizeBytes(sizeWords(*v.words))
	default:
		return appendTextAttribute(to, key, valid(v.String()))
	}
	to = appendLength(to, tagAttributes, len(key)+1+protowire.SizeBytes(size))
	to = append(to, key...)
	to = appendLength(to, tagValue, size)
	switch v.kind {
	case numberKind:
		return appendNumber(to, tagInt, uint64(v.number))
	case truthKind:
		return appendNumber(to, tagBool, uint64(v.number))
	case secondsKind:
		return appendFixed64(to, tagDouble, math.Float64bits(v.seconds()))
	case wordsKind:
		to = appendLength(to, tagArray, sizeWords(*v.words))
		for _, word := range *v.words {
			word = valid(word)
			to = appendLength(to, tagValues, sizeText(word))
			to = appendText(to, tagString, word)
		}
	}
	return to
}

// sizeWords returns the size of a message ArrayValue.
func sizeWords(words []string) (size int) {
	for _, word := range words {
		size += 1 + protowire.SizeBytes(sizeText(valid(word)))
	}
	return size
}

// valid returns text that OTLP can carry: one broken byte would cost all records of
// a batch.
func valid(s string) string {
	if utf8.ValidString(s) { // twice as fast
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// Sizes are those of fields, with their tags.

func sizeText(s string) int { return 1 + protowire.SizeBytes(len(s)) }

func sizeNumber(n uint64) int { return 1 + protowire.SizeVarint(n) }

// sizeIDs is the size of what appendIDs appends.
const sizeIDs = 2 + 16 + 2 + 8

func appendIDs(to, traceID, spanID []byte) []byte {
	to = appendLength(to, tagTraceID, len(traceID))
	to = append(to, traceID...)
	to = appendLength(to, tagSpanID, len(spanID))
	return append(to, spanID...)
}

// appendLength begins a field of so many bytes.
func appendLength(to []byte, tag byte, length int) []byte {
	if length < 0x80 { // as almost always
		return append(to, tag, byte(length))
	}
	return protowire.AppendVarint(append(to, tag), uint64(length))
}

func appendText(to []byte, tag byte, s string) []byte {
	return append(appendLength(to, tag, len(s)), s...)
}

func appendNumber(to []byte, tag byte, n uint64) []byte {
	return protowire.AppendVarint(append(to, tag), n)
}

func appendFixed64(to []byte, tag byte, n uint64) []byte {
	return protowire.AppendFixed64(append(to, tag), n)
}
