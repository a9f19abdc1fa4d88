package main

import (
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

// stackOf returns a sample with functions from the leaf to the root.
func stackOf(functions ...string) *profile.Sample {
	s := new(profile.Sample)
	for _, name := range functions {
		s.Location = append(s.Location, &profile.Location{Line: []profile.Line{{Function: &profile.Function{Name: name}}}})
	}
	return s
}

func TestOwned(t *testing.T) {
	const (
		handler   = ownModule + "caddymodule.(*Handler).ServeHTTP"
		tracker   = ownModule + "internal/exchange.(*tracker).Write"
		proxy     = "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy.(*Handler).ServeHTTP"
		wrapper   = "github.com/caddyserver/caddy/v2/modules/caddyhttp.(*ResponseWriterWrapper).Write"
		nextOne   = "github.com/caddyserver/caddy/v2/modules/caddyhttp.HandlerFunc.ServeHTTP"
		connServe = "net/http.(*conn).serve"
	)
	for _, test := range []struct {
		name  string
		stack []string
		owner string
		leaf  bool
	}{
		{"ours alone", []string{handler, nextOne, connServe}, "caddymodule.(*Handler).ServeHTTP", true},
		{"the allocator, called by ours", []string{"runtime.mallocgc", ownModule + "scopes.(*Catalog).Read", handler, connServe}, "scopes.(*Catalog).Read", false},
		{"a header, read by ours", []string{"net/textproto.MIMEHeader.Get", "net/http.Header.Get", handler, connServe}, "caddymodule.(*Handler).ServeHTTP", false},
		{"another module, called by ours", []string{"github.com/golang/snappy.Encode", handler, connServe}, "caddymodule.(*Handler).ServeHTTP", false},
		{"a goroutine of ours", []string{"internal/runtime/syscall.Syscall6", "os.(*File).Write", ownModule + "internal/audit.(*output).run"}, "internal/audit.(*output).run", false},
		{"the next handler", []string{"net/http.(*Transport).RoundTrip", proxy, nextOne, handler, connServe}, "", false},
		{"a handler that is a function", []string{"runtime.memmove", nextOne, handler, connServe}, "", false},
		{"the response, written through ours", []string{"internal/runtime/syscall.Syscall6", "net/http.(*response).Write", tracker, proxy, nextOne, handler, connServe}, "", false},
		{"the response, through Caddy's wrapper", []string{"net/http.(*response).Write", wrapper, tracker, proxy, handler, connServe}, "", false},
		{"our part of writing the response", []string{"runtime.nanotime", tracker, proxy, handler, connServe}, "internal/exchange.(*tracker).Write", false},
		{"nothing of ours", []string{"runtime.gcDrain", "runtime.gcBgMarkWorker"}, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if owner, leaf := owned(stackOf(test.stack...)); owner != test.owner || leaf != test.leaf {
				t.Errorf("owned by %q, leaf %v; want %q, %v", owner, leaf, test.owner, test.leaf)
			}
		})
	}
}

// TestOwnShare: the sum counts every stack once.
func TestOwnShare(t *testing.T) {
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}}}
	for _, s := range []struct {
		stack []string
		value int64
	}{
		{[]string{ownModule + "a.inner", ownModule + "a.outer"}, 10}, // two of ours
		{[]string{"runtime.mallocgc", ownModule + "a.outer"}, 20},
		{[]string{"runtime.gcDrain"}, 70},
	} {
		sample := stackOf(s.stack...)
		sample.Value = []int64{1, s.value}
		for _, location := range sample.Location {
			location.ID = uint64(len(p.Location) + 1)
			location.Line[0].Function.ID = location.ID
			p.Location, p.Function = append(p.Location, location), append(p.Function, location.Line[0].Function)
		}
		p.Sample = append(p.Sample, sample)
	}
	var data, text strings.Builder
	if err := p.Write(&data); err != nil {
		t.Fatal(err)
	}
	own, err := summarizeProfile(&text, "CPU", "cpu", []byte(data.String()))
	if err != nil {
		t.Fatal(err)
	}
	if own != 30 || !strings.Contains(text.String(), "30.0 % in total") {
		t.Errorf("%v %%, and:\n%s", own, text.String())
	}
}
