package authcheck

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/scopegate/scopegate/internal/exchange"
	"github.com/scopegate/scopegate/internal/refusal"
	"github.com/scopegate/scopegate/internal/sanitize"
)

// Removes reports whether proxies that ask in this dialect remove the headers that they are
// told to. The others are configured once, and remove what they do before they ask.
func (d Dialect) Removes() bool { return d == Envoy }

// Headers of answers in the dialect of nginx, which reads nothing else of a refusal.
const (
	headerStatus = "X-Scopegate-Status"
	headerBody   = "X-Scopegate-Body"
)

// headerEnvoyDrop names headers that Envoy is to remove.
const headerEnvoyDrop = "X-Envoy-Auth-Headers-To-Remove"

// maxDropped bounds what is told of dropped headers to those that go by no such list, in bytes:
// proxies have small buffers for the headers of an answer.
const maxDropped = 1 << 10

// Write tells a proxy what was decided about a request, in the form that it understands.
func Write(w http.ResponseWriter, asked Description, answer exchange.Answer) {
	header := w.Header()
	header.Set("Cache-Control", "no-store") // facts change, and no path is the same for all
	if answer.Refusal == nil {
		facts := Facts(answer)
		values := make([]string, len(facts)) // one block in place of one for each header
		for i, fact := range facts {
			values[i] = fact.Value
			header[fact.Header] = values[i : i+1 : i+1]
		}
		if len(answer.Drop) > 0 && asked.Dialect == Envoy {
			header.Set(headerEnvoyDrop, strings.Join(answer.Drop, ","))
		}
		w.WriteHeader(http.StatusOK)
		return
	}
	status, body := Refuse(header, asked.Request, answer)
	if asked.Dialect == Nginx {
		// auth_request knows two refusals and reads no body: the rest is in headers, from
		// which the shipped configuration makes the answer.
		header.Set(headerStatus, strconv.Itoa(status))
		header.Set(headerBody, string(body))
		if status != http.StatusUnauthorized {
			status = http.StatusForbidden
		}
		w.WriteHeader(status)
		return
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // net/http leaves it out where the check is a HEAD request itself
}

// Refuse sets the headers of a refusal, and returns its status and its body. It says to gRPC
// clients what it says to others: a status of 200 would let the request pass.
func Refuse(header http.Header, asked *http.Request, answer exchange.Answer) (status int, body []byte) {
	refusal.WriteCORS(header, asked, answer.CORS, answer.Refusal.Reason)
	return answer.Refusal.Status, answer.Refusal.JSON(header, asked)
}

// Fact is one thing that is told of a decision.
type Fact struct {
	Name   string // in Envoy's dynamic metadata
	Header string
	Value  string
}

// Facts are what is told of a decision, whatever it is.
func Facts(answer exchange.Answer) []Fact {
	rec := answer.Record
	const most = 6
	facts := append(make([]Fact, 0, most),
		Fact{"decision", "X-Scopegate-Decision", string(rec.Decision)},
		Fact{"reason", "X-Scopegate-Reason", string(rec.Reason)},
	)
	add := func(name, header, value string) { facts = append(facts, Fact{name, header, value}) }
	if rec.Operation != nil {
		add("operation", "X-Scopegate-Operation", sanitize.String(rec.Operation.Name, sanitize.MaxText))
	}
	if !rec.Token.IsZero() {
		add("token_id", "X-Scopegate-Token-Id", rec.Token.String())
	}
	if id := rec.OwnerID(); id != 0 {
		add("owner_id", "X-Scopegate-Owner-Id", strconv.FormatInt(id, 10))
	}
	if len(answer.Drop) > 0 {
		add("drop", "X-Scopegate-Drop", sanitize.String(strings.Join(answer.Drop, ","), maxDropped))
	}
	return facts
}
