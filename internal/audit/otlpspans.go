package audit

import (
	"context"
	"errors"
	"fmt"
	"os"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/scopegate/scopegate/internal/buildinfo"
)

// otlpSpans exports records as spans over OTLP, and encodes them itself: the SDK and its
// exporter take ten times as long, for samplers and limits that must not apply to a
// record. Other exporters than OTLP's are served by sdkSpans.
type otlpSpans struct {
	client  otlptrace.Client
	request []*tracepb.ResourceSpans
	encoder otlpEncoder
	spans   []byte // of the batch, as fields of the message ScopeSpans
}

// newOTLPClient returns the client that autoexport would choose for traces.
func newOTLPClient() (otlptrace.Client, error) {
	protocol := os.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
	if protocol == "" {
		protocol = os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL")
	}
	switch protocol {
	case "", "http/protobuf":
		return otlptracehttp.NewClient(), nil
	case "grpc":
		return otlptracegrpc.NewClient(), nil
	}
	return nil, errors.New("the protocol must be http/protobuf or grpc")
}

func startOTLPSpans(about *resource.Resource) (*otlpSpans, error) {
	client, err := newOTLPClient()
	if err != nil {
		return nil, err
	}
	// It connects when there is something to send.
	if err := client.Start(context.Background()); err != nil {
		return nil, fmt.Errorf("starting the exporter: %w", err)
	}
	return newOTLPSpans(client, about), nil
}

func newOTLPSpans(client otlptrace.Client, about *resource.Resource) *otlpSpans {
	of := new(resourcepb.Resource)
	for _, kv := range about.Attributes() {
		of.Attributes = append(of.Attributes, &commonpb.KeyValue{
			Key:   string(kv.Key),
			Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: kv.Value.String()}},
		})
	}
	scope := &commonpb.InstrumentationScope{Name: scopeName, Version: buildinfo.Version()}
	return &otlpSpans{
		client:  client,
		request: []*tracepb.ResourceSpans{{Resource: of, ScopeSpans: []*tracepb.ScopeSpans{{Scope: scope}}}},
	}
}

func (e *otlpSpans) add(r *Record) { e.spans = e.encoder.appendSpan(e.spans, r) }

// export passes the spans to the client as unknown fields, which protobuf writes as
// they are.
func (e *otlpSpans) export(ctx context.Context) error {
	e.request[0].ScopeSpans[0].ProtoReflect().SetUnknown(e.spans)
	return e.client.UploadTraces(ctx, e.request)
}

// reset may overwrite the spans: clients encode a request before they send it.
func (e *otlpSpans) reset() {
	e.request[0].ScopeSpans[0].ProtoReflect().SetUnknown(nil)
	e.spans = e.spans[:0]
}

func (e *otlpSpans) shutdown(ctx context.Context) error { return e.client.Stop(ctx) }
