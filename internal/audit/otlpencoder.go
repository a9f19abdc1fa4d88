package audit

import (
	"math"
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/encoding/protowire"
)

// Tags of the fields of OTLP's messages: the field number, from opentelemetry/proto,
// and the type that follows. All but the last take one byte.
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

	// Of Link, which starts with the same ids as Span, and of Status.
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
	codeError = 2 // STATUS_CODE_ERROR

	// Flags of spans and links: those of W3C Trace Context, and that the context is
	// known to be remote.
	flagsSampled = 1
	flagsRemote  = 0x100 | 0x200
)

// otlpEncoder encodes records as spans of OTLP.
type otlpEncoder struct {
	span []byte // the one being encoded; reused
}

// appendSpan appends the span of a record, as a field of the message ScopeSpans.
func (e *otlpEncoder) appendSpan(to []byte, r *Record) []byte {
	s := spanOf(r)
	b := appendIDs(e.span[:0], s.traceID, s.spanID)
	b = appendName(b, s.method, s.template)
	b = appendNumber(b, tagKind, uint64(spanKind))
	b = appendFixed64(b, tagStart, uint64(max(0, s.start.UnixNano())))
	b = appendFixed64(b, tagEnd, uint64(max(0, s.end.UnixNano())))
	e.span = b
	encodeAttributes(r, e)
	b = e.span
	if s.link.IsValid() {
		b = appendLength(b, tagLinks, sizeIDs+1+4)
		b = appendIDs(b, s.link.TraceID(), s.link.SpanID())
		b = append(b, tagLinkFlags)
		b = protowire.AppendFixed32(b, uint32(s.link.TraceFlags())|flagsRemote)
	}
	if s.failed {
		b = appendLength(b, tagStatus, sizeText(s.problem)+sizeNumber(codeError))
		b = appendText(b, tagMessage, s.problem)
		b = appendNumber(b, tagCode, codeError)
	}
	b = protowire.AppendTag(b, fieldFlags, protowire.Fixed32Type)
	b = protowire.AppendFixed32(b, flagsSampled)
	e.span = b

	to = appendLength(to, tagSpans, len(b))
	return append(to, b...)
}

// appendName appends the field name, see [span.name].
func appendName(to []byte, method, template string) []byte {
	if template == "" {
		return appendText(to, tagName, method)
	}
	to = appendLength(to, tagName, len(method)+1+len(template))
	to = append(append(to, method...), ' ')
	return append(to, template...)
}

func (e *otlpEncoder) text(f *field, text string) {
	size := 1 + 1 + len(text)
	length := len(f.otlpKey) + 1 + 1 + size
	if length < 0x80 { // nearly always: then all lengths take one byte
		b := append(e.span, tagAttributes, byte(length))
		b = append(b, f.otlpKey...)
		b = append(b, tagValue, byte(size), tagString, byte(len(text)))
		e.span = append(b, text...)
		return
	}
	e.span = appendText(appendKey(e.span, f, sizeText(text)), tagString, text)
}

func (e *otlpEncoder) number(f *field, number int64) {
	e.span = appendNumber(appendKey(e.span, f, sizeNumber(uint64(number))), tagInt, uint64(number))
}

func (e *otlpEncoder) seconds(f *field, d time.Duration) {
	e.span = appendFixed64(appendKey(e.span, f, 1+8), tagDouble, math.Float64bits(d.Seconds()))
}

func (e *otlpEncoder) truth(f *field, truth bool) {
	b := append(appendKey(e.span, f, 1+1), tagBool, 0)
	if truth {
		b[len(b)-1] = 1
	}
	e.span = b
}

func (e *otlpEncoder) words(f *field, words *[]string) {
	size := sizeWords(*words)
	b := appendLength(appendKey(e.span, f, 1+protowire.SizeBytes(size)), tagArray, size)
	for _, word := range *words {
		b = appendText(appendLength(b, tagValues, sizeText(word)), tagString, word)
	}
	e.span = b
}

// appendKey starts an attribute, up to its message AnyValue of so many bytes.
func appendKey(to []byte, f *field, size int) []byte {
	to = appendLength(to, tagAttributes, len(f.otlpKey)+1+protowire.SizeBytes(size))
	to = append(to, f.otlpKey...)
	return appendLength(to, tagValue, size)
}

// sizeWords returns the size of a message ArrayValue.
func sizeWords(words []string) (size int) {
	for _, word := range words {
		size += 1 + protowire.SizeBytes(sizeText(word))
	}
	return size
}

// Sizes are those of fields, including their tags.

func sizeText(s string) int { return 1 + protowire.SizeBytes(len(s)) }

func sizeNumber(n uint64) int { return 1 + protowire.SizeVarint(n) }

// sizeIDs is the size of what appendIDs appends.
const sizeIDs = 2 + 16 + 2 + 8

func appendIDs(to []byte, traceID trace.TraceID, spanID trace.SpanID) []byte {
	to = append(append(to, tagTraceID, byte(len(traceID))), traceID[:]...)
	return append(append(to, tagSpanID, byte(len(spanID))), spanID[:]...)
}

// appendLength starts a field of so many bytes.
func appendLength(to []byte, tag byte, length int) []byte {
	if length < 0x80 { // nearly always
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
