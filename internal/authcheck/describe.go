package authcheck

import (
	"maps"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/scopegate/scopegate/internal/exchange"
	"github.com/scopegate/scopegate/internal/policy"
)

// Problem is why a request cannot be judged that a proxy asks about.
type Problem struct {
	// Reason is [policy.GatewayMisconfigured] where the proxy's configuration is wrong, and
	// [policy.AmbiguousRequest] where a client may be the cause.
	Reason policy.Reason
	// Text completes the message of a refusal for this reason.
	Text string
}

// Misconfigured is a problem of the proxy's configuration.
func Misconfigured(text string) *Problem { return &Problem{policy.GatewayMisconfigured, text} }

// Ambiguous is a problem of a description that says two things.
func Ambiguous(text string) *Problem {
	return &Problem{policy.AmbiguousRequest, "The request is described in two ways: " + text + "; what is sent must be certain."}
}

// Description is a request that a proxy asks about.
type Description struct {
	// Dialect is the one that it is in.
	Dialect Dialect
	// Request is what will be sent, without a body. Its header is its own.
	Request *http.Request
	// Client is the address of the proxy's client, empty where the proxy does not say.
	Client string
}

// Question returns what is to be decided: whether the request may pass, or why it cannot be
// judged. Distrust says why who asks is not believed; empty if it is. Then who asks is recorded
// by its own address, which is empty where the request's context has it.
func (d Description) Question(problem *Problem, distrust, own string) exchange.Question {
	question := exchange.Question{Request: d.Request, Client: d.Client, Removes: d.Dialect.Removes()}
	if distrust != "" {
		question.Distrusted, question.Client = true, own
		problem = Misconfigured(distrust)
	}
	if problem != nil {
		question.Problem, question.Reason = problem.Text, problem.Reason
	}
	return question
}

// Describe returns the request that a check asks about. Prefix is what [Envoy] puts before its
// path. With a problem, the request is for the record only: the check itself if it describes none.
func Describe(check *http.Request, d Dialect, prefix string) (Description, *Problem) {
	asked := Description{Dialect: d, Request: check}
	if d == Recognized {
		var problem *Problem
		if asked.Dialect, problem = recognize(check); problem != nil {
			asked.Dialect = Nginx // which understands the fewest answers
			return asked, problem
		}
	}
	var method, target string
	var problem *Problem
	said, byHeaders := dialects[asked.Dialect]
	if byHeaders {
		method, target, problem = said.read(check.Header)
	} else {
		method, target, problem = ofEnvoy(check, prefix)
	}
	if problem != nil {
		return asked, problem
	}
	request, problem := Request(check.Context(), method, target)
	request.Header = maps.Clone(check.Header)
	for _, name := range ownHeaders {
		delete(request.Header, name)
	}
	if byHeaders {
		asked.Client = clientOf(check.Header, said)
		delete(request.Header, said.method)
		delete(request.Header, said.uri)
		for _, name := range said.more {
			delete(request.Header, name)
		}
	}
	// What the proxy says of a body decides whether the request can be a CORS preflight.
	request.ContentLength = lengthOf(check)
	asked.Request = request
	return asked, problem
}

// ownHeaders are about the connection between proxy and gateway, or about the check itself.
var ownHeaders = []string{"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Content-Length"}

// lengthOf returns the length of the body that will be sent, as far as the check has it.
func lengthOf(check *http.Request) int64 {
	if said := check.Header["Content-Length"]; len(said) > 0 {
		if n, err := strconv.ParseInt(said[0], 10, 64); err == nil {
			return n
		}
	}
	return check.ContentLength
}

// read returns method and target of the request that headers describe.
func (w *words) read(header http.Header) (method, target string, problem *Problem) {
	if method, problem = only(header, w.method); problem != nil {
		return "", "", problem
	}
	target, problem = only(header, w.uri)
	return method, target, problem
}

// only returns the one value of a header.
func only(header http.Header, name string) (string, *Problem) {
	switch values := header[name]; {
	case len(values) == 0, len(values) == 1 && values[0] == "":
		return "", Misconfigured("a proxy asks without the header " + name + ", which describes the request; docs/proxies.md has its settings")
	case len(values) > 1:
		return "", Ambiguous("there are several headers " + name)
	default:
		return values[0], nil
	}
}

// Sanitized returns the problem of a target in text, in which Envoy may have written something
// else for bytes that are not UTF-8, and nil for none. What the operator can do completes it.
func Sanitized(target, operator string) *Problem {
	const mark = "!"
	if path, _, _ := strings.Cut(target, "?"); !strings.Contains(path, mark) {
		return nil
	}
	return &Problem{policy.AmbiguousRequest, "Envoy writes " + mark + " for bytes in a path that are not UTF-8, so this path may be another one; write %21, or have the operator " + operator + "."}
}

// ofEnvoy returns method and target of a check that is the request itself.
func ofEnvoy(check *http.Request, prefix string) (method, target string, problem *Problem) {
	target, ok := strings.CutPrefix(check.RequestURI, prefix)
	if !ok {
		return "", "", Misconfigured("a proxy asks at a path that does not begin with the prefix " + prefix + "; set path_prefix of ext_authz and the option prefix to the same value")
	}
	if problem = Sanitized(target, "ask over gRPC with encode_raw_headers"); problem != nil {
		return "", "", problem
	}
	// Another proxy that asks here would be answered about the check, and not about its request.
	if path, _, _ := strings.Cut(target, "?"); path == Path && (check.Header[originalURI] != nil || check.Header[forwardedURI] != nil) {
		return "", "", Misconfigured("a proxy that is not Envoy asks where dialect envoy is set; give it a site of its own, without that")
	}
	return check.Method, target, nil
}

// clientOf returns the address of the client, as the proxy tells it.
func clientOf(header http.Header, said words) string {
	for _, name := range said.more {
		values := header[name]
		if name != forwardedFor && name != realIP || len(values) == 0 {
			continue
		}
		// The last address of a list is the one that the proxy has seen itself.
		last := values[len(values)-1]
		last = strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
		if host, _, err := net.SplitHostPort(last); err == nil {
			last = host
		}
		if address, err := netip.ParseAddr(last); err == nil {
			return address.String()
		}
	}
	return ""
}
