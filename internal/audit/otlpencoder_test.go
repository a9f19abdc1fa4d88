package audit

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// decodeSpan decodes the one span that an encoder wrote.
func decodeSpan(t *testing.T, encoded []byte) *tracepb.Span {
	t.Helper()
	var message tracepb.ScopeSpans
	if err := proto.Unmarshal(encoded, &message); err != nil {
		t.Fatalf("not a message: %v", err)
	}
	if len(message.GetSpans()) != 1 || len(message.ProtoReflect().GetUnknown()) != 0 {
		t.Fatalf("%d spans, and %d bytes of unknown fields", len(message.GetSpans()), len(message.ProtoReflect().GetUnknown()))
	}
	span := message.GetSpans()[0]
	if unknown := span.ProtoReflect().GetUnknown(); len(unknown) != 0 {
		t.Fatalf("the span has %d bytes of unknown fields", len(unknown))
	}
	return span
}

// sdkSpan returns the span that the SDK and its exporter make of a record.
func sdkSpan(t *testing.T, r *Record) *tracepb.Span {
	t.Helper()
	client := new(lastUpload)
	exporter, err := otlptrace.New(context.Background(), client)
	if err != nil {
		t.Fatal(err)
	}
	e := newSDKSpans(exporter, describe())
	e.add(r)
	if err := e.export(context.Background()); err != nil {
		t.Fatal(err)
	}
	return client.spans[0].GetScopeSpans()[0].GetSpans()[0]
}

type lastUpload struct{ spans []*tracepb.ResourceSpans }

func (*lastUpload) Start(context.Context) error { return nil }
func (*lastUpload) Stop(context.Context) error  { return nil }
func (c *lastUpload) UploadTraces(_ context.Context, spans []*tracepb.ResourceSpans) error {
	c.spans = spans
	return nil
}

// checkSameSpan compares our span of a record with the SDK's, except for random ids.
func checkSameSpan(t *testing.T, r *Record) {
	t.Helper()
	got, want := decodeSpan(t, new(otlpEncoder).appendSpan(nil, r)), sdkSpan(t, r)
	if len(got.GetTraceId()) != 16 || len(got.GetSpanId()) != 8 {
		t.Errorf("ids of %d and %d bytes", len(got.GetTraceId()), len(got.GetSpanId()))
	}
	want.SpanId = got.GetSpanId()
	if _, ok := refusalID(r); !ok {
		want.TraceId = got.GetTraceId()
	}
	// We omit the status, which means the same.
	if want.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_UNSET {
		want.Status = nil
	}
	// The SDK adds that a root has no remote parent.
	want.Flags &= 0xff
	if !proto.Equal(got, want) {
		t.Errorf("encoded is\n%v\nthe SDK has\n%v", got, want)
	}
}

func TestSpansAreTheSDKs(t *testing.T) {
	t.Parallel()
	denied, broken, empty := deniedRecord(), typicalRecord(), &Record{Time: time.Unix(1, 2), Outcome: Answered}
	broken.Status, broken.Outcome, broken.Method = http.StatusBadGateway, Aborted, "FROB"
	broken.Dropped = []string{"Cookie", "X-Databricks-Azure-SP-Management-Token"}
	negative := typicalRecord()
	negative.FactsAge, negative.BytesReceived = -time.Second, 1<<62
	for _, test := range []struct {
		name   string
		record *Record
	}{
		{"allowed", typicalRecord()},
		{"refused, with a caller's trace", denied},
		{"broken off", broken},
		{"empty", empty},
		{"numbers out of the ordinary", negative},
	} {
		t.Run(test.name, func(t *testing.T) { checkSameSpan(t, test.record) })
	}
}

// TestSpansAreAppended: the encoder reuses its memory, and nothing of a record shows in
// the span of the next.
func TestSpansAreAppended(t *testing.T) {
	t.Parallel()
	e, records := new(otlpEncoder), []*Record{deniedRecord(), {Time: time.Now()}, typicalRecord()}
	var all []byte
	for _, r := range records {
		all = e.appendSpan(all, r)
	}
	var message tracepb.ScopeSpans
	if err := proto.Unmarshal(all, &message); err != nil || len(message.GetSpans()) != len(records) {
		t.Fatalf("%d spans, %v", len(message.GetSpans()), err)
	}
	for i, r := range records {
		alone := decodeSpan(t, new(otlpEncoder).appendSpan(nil, r))
		got := message.GetSpans()[i]
		alone.TraceId, alone.SpanId = got.GetTraceId(), got.GetSpanId()
		if !proto.Equal(got, alone) {
			t.Errorf("span %d among others is\n%v\nalone\n%v", i, got, alone)
		}
	}
}

// FuzzSpan: whatever clients and workspaces send, collectors can read the span.
func FuzzSpan(f *testing.F) {
	f.Add("GET", "/api/2.1/jobs/list", "agent", "jobs", "etl@example.com", int64(200), int64(1), true)
	f.Add("FROB", "/%ff", "\xff\xfe", "", "\x80", int64(-1), int64(-1), false)
	f.Fuzz(func(t *testing.T, method, path, agent, scope, name string, status, nanoseconds int64, denied bool) {
		r := typicalRecord()
		r.Method, r.Path, r.UserAgent, r.Creator = TruncateMethod(method), TruncatePath(path, path), TruncateUserAgent(agent), TruncateName(name)
		r.Workspace = name
		r.Held = []string{scope, "", scope + name}
		r.Status, r.BytesSent, r.FactsAge, r.Facts.Info.Owner = int(status), nanoseconds, time.Duration(nanoseconds), tokens.NewPrincipal(status, "")
		r.Operation = &scopes.Operation{Name: agent, Template: path, AnyOf: []string{scope}}
		if denied {
			r.Decision, r.Reason, r.Policy, r.Requirement = judge.Deny, policy.MissingScope, name, agent
		}
		span := decodeSpan(t, new(otlpEncoder).appendSpan(nil, r))
		keys := make([]string, 0, len(span.GetAttributes()))
		for _, kv := range span.GetAttributes() {
			keys = append(keys, kv.GetKey())
		}
		slices.Sort(keys)
		if len(slices.Compact(keys)) != len(span.GetAttributes()) {
			t.Errorf("a key occurs twice among %q", keys)
		}
	})
}
