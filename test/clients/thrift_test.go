package clients_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"

	"github.com/google/uuid"
)

// warehouse is a SQL warehouse that Thrift drivers can query: it answers every statement
// with one row and one column, the number 1. Each method has the fields of
// TCLIService.thrift that a driver cannot do without.
type warehouse struct {
	// unread are the ids of the operations whose row has not been fetched: drivers fetch
	// until there is no row, whatever hasMoreRows says.
	unread sync.Map
}

func (w *warehouse) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, 1<<20))
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	method, seq, ok := thriftCall(body)
	answer, known := warehouseAnswers[method]
	if !ok || !known {
		http.Error(rw, "no Thrift call of a method that is served: "+method, http.StatusBadRequest)
		return
	}
	switch method {
	case "ExecuteStatement":
		id := uuid.New()
		w.unread.Store(id, nil)
		answer = thriftStruct{
			1: thriftDone,
			2: thriftStruct{1: thriftHandle(id), 2: thriftInt(0), 3: thriftBool(true)},
		}
	case "FetchResults":
		if !w.fetch(body) {
			answer = noRows
		}
	}
	rw.Header().Set("Content-Type", "application/x-thrift")
	_, _ = rw.Write(thriftReply(method, seq, answer))
}

// fetch reports whether the operation that a message names has an unread row, and reads it.
func (w *warehouse) fetch(message []byte) bool {
	found := false
	w.unread.Range(func(id, _ any) bool {
		operation := id.(uuid.UUID)
		if bytes.Contains(message, operation[:]) {
			_, found = w.unread.LoadAndDelete(id)
		}
		return !found
	})
	return found
}

var (
	thriftDone = thriftStruct{1: thriftInt(0)} // SUCCESS_STATUS

	warehouseAnswers = map[string]thriftStruct{
		"OpenSession": {
			1: thriftDone,
			2: thriftInt(0xa501), // SPARK_CLI_SERVICE_PROTOCOL_V1
			3: thriftStruct{1: thriftHandle(uuid.New())},
		},
		"ExecuteStatement":   {1: thriftDone},
		"GetOperationStatus": {1: thriftDone, 2: thriftInt(2)}, // FINISHED_STATE
		"GetResultSetMetadata": {
			1: thriftDone,
			2: thriftStruct{1: thriftList{thriftStruct{
				1: thriftText("n"),
				2: thriftStruct{1: thriftList{thriftStruct{1: thriftStruct{1: thriftInt(3)}}}}, // INT_TYPE
				3: thriftInt(1),
			}}},
			1281: thriftInt(1), // COLUMN_BASED_SET
		},
		"FetchResults":    rows(thriftInt(1)),
		"CancelOperation": {1: thriftDone},
		"CloseOperation":  {1: thriftDone},
		"CloseSession":    {1: thriftDone},
	}
)

// noRows is the end of every result.
var noRows = rows()

// rows returns rows of one column of integers.
func rows(values ...thriftValue) thriftStruct {
	column := thriftStruct{1: thriftList(values), 2: thriftText("\x00")}
	return thriftStruct{
		1: thriftDone,
		2: thriftBool(false),
		3: thriftStruct{1: thriftLong(0), 2: thriftList{}, 3: thriftList{thriftStruct{4: column}}},
	}
}

// thriftHandle names a session or an operation: a UUID and a secret of 16 bytes.
func thriftHandle(id uuid.UUID) thriftStruct {
	return thriftStruct{1: thriftText(id[:]), 2: thriftText("0123456789abcdef")}
}

// thriftCall reads the head of a call in Thrift's binary protocol.
func thriftCall(message []byte) (method string, seq uint32, ok bool) {
	if len(message) < 8 || binary.BigEndian.Uint32(message) != 0x80010001 {
		return "", 0, false
	}
	length := int64(binary.BigEndian.Uint32(message[4:]))
	if rest := message[8:]; int64(len(rest)) >= length+4 {
		return string(rest[:length]), binary.BigEndian.Uint32(rest[length:]), true
	}
	return "", 0, false
}

func thriftReply(method string, seq uint32, answer thriftStruct) []byte {
	message := binary.BigEndian.AppendUint32(nil, 0x80010002)
	message = thriftText(method).append(message)
	message = binary.BigEndian.AppendUint32(message, seq)
	return thriftStruct{0: answer}.append(message)
}

// thriftValue is a value in Thrift's binary protocol.
type thriftValue interface {
	kind() byte
	append(to []byte) []byte
}

type (
	thriftBool   bool
	thriftInt    int32
	thriftLong   int64
	thriftText   string
	thriftList   []thriftValue
	thriftStruct map[int16]thriftValue
)

func (thriftBool) kind() byte   { return 2 }
func (thriftInt) kind() byte    { return 8 }
func (thriftLong) kind() byte   { return 10 }
func (thriftText) kind() byte   { return 11 }
func (thriftStruct) kind() byte { return 12 }
func (thriftList) kind() byte   { return 15 }

func (v thriftBool) append(to []byte) []byte {
	if v {
		return append(to, 1)
	}
	return append(to, 0)
}

func (v thriftInt) append(to []byte) []byte { return binary.BigEndian.AppendUint32(to, uint32(v)) }

func (v thriftLong) append(to []byte) []byte { return binary.BigEndian.AppendUint64(to, uint64(v)) }

func (v thriftText) append(to []byte) []byte {
	return append(binary.BigEndian.AppendUint32(to, uint32(len(v))), v...)
}

func (v thriftList) append(to []byte) []byte {
	kind := thriftStruct{}.kind() // of an empty list
	if len(v) > 0 {
		kind = v[0].kind()
	}
	to = binary.BigEndian.AppendUint32(append(to, kind), uint32(len(v)))
	for _, element := range v {
		to = element.append(to)
	}
	return to
}

func (v thriftStruct) append(to []byte) []byte {
	for _, id := range slices.Sorted(maps.Keys(v)) {
		to = binary.BigEndian.AppendUint16(append(to, v[id].kind()), uint16(id))
		to = v[id].append(to)
	}
	return append(to, 0)
}
