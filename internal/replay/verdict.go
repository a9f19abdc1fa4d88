package replay

import (
	"net/http"
	"time"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/routesfile"
	"github.com/scopegate/scopegate/scopes"
)

// Verdict is what becomes of a call.
type Verdict struct {
	// Passes is true also where a refusal is only recorded.
	Passes bool `json:"passes"`
	// Optional means that clients go on without the operation.
	Optional bool `json:"optional,omitempty"`
	// Needs is what the operation needs, in words.
	Needs string `json:"needs"`
	// Reason is why the call is refused or passes, and Policy which policy refuses it, or
	// would.
	Reason policy.Reason `json:"reason"`
	Policy string        `json:"policy,omitempty"`
}

// Reader reads the paths of operations. Use does not have the paths of calls, so a path that
// the operation's template matches stands for them. The zero value is ready for use, by one
// goroutine at a time.
type Reader struct {
	read map[readKey][]scopes.Reading
}

type readKey struct {
	catalog          *scopes.Catalog
	method, template string
}

// Readings returns the readings of a path that a template matches, none if it cannot be read.
// The caller must not modify the list.
func (r *Reader) Readings(catalog *scopes.Catalog, method, template string) []scopes.Reading {
	key := readKey{catalog, method, template}
	readings, known := r.read[key]
	if !known {
		if r.read == nil {
			r.read = make(map[readKey][]scopes.Reading)
		}
		readings = ReadingsOf(catalog, method, routesfile.Sample(template))
		r.read[key] = readings
	}
	return readings
}

// ReadingsOf returns the readings of a path, none if it cannot be read.
func ReadingsOf(catalog *scopes.Catalog, method, path string) []scopes.Reading {
	readings, err := catalog.Read(method, path, nil)
	if err != nil {
		return nil
	}
	return readings
}

// Methods returns the methods that a row stands for.
func Methods(o *scopes.Operation) []string {
	if o.Method == "*" {
		return []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
	}
	return []string{o.Method}
}

// Judge judges a call of an operation. It is false where requests cannot name it.
func (r *Reader) Judge(j *judge.Judge, subject policy.Subject, method string, o *scopes.Operation, at time.Time) (Verdict, bool) {
	readings := r.Readings(j.Catalog, method, o.Template)
	if len(readings) == 0 {
		return Verdict{}, false
	}
	return verdictOf(j, subject, method, readings, at), true
}

// verdictOf judges a call of a personal access token by its readings.
func verdictOf(j *judge.Judge, subject policy.Subject, method string, readings []scopes.Reading, at time.Time) Verdict {
	if policy.Public(readings) {
		return Verdict{Passes: true, Needs: judge.Needs(readings[0].Operation), Reason: policy.PublicRoute}
	}
	ruling := policy.Decide(subject, policy.Request{Method: method, Readings: readings}, j.Rules, at)
	return Verdict{
		Passes: ruling.Allowed || ruling.Rehearsed || j.Observe, Optional: ruling.Operation.Optional,
		Needs: judge.Needs(ruling.Operation), Reason: ruling.Reason, Policy: ruling.Policy,
	}
}
