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
)

// otlpCarrier encodes records as OTLP's spans, without making messages of them
// first. The SDK and its exporter take ten times as long: the SDK's sampler and
// limits are what a record must not depend on, and the rest of it a finished record
// has no use for. For other exporters than OTLP's there is spanCarrier.
type otlpCarrier struct {
	client  otlptrace.Client
	request []*tracepb.ResourceSpans
	encoder spanEncoder
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

func newOTLPCarrier(about *resource.Resource) (*otlpCarrier, error) {
	client, err := newOTLPClient()
	if err != nil {
		return nil, err
	}
	// It does not connect before there is something to send.
	if err := client.Start(context.Background()); err != nil {
		return nil, fmt.Errorf("starting the exporter: %w", err)
	}
	return carrierTo(client, about), nil
}

func carrierTo(client otlptrace.Client, about *resource.Resource) *otlpCarrier {
	of := new(resourcepb.Resource)
	for _, kv := range about.Attributes() {
		of.Attributes = append(of.Attributes, &commonpb.KeyValue{
			Key:   valid(string(kv.Key)),
			Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: valid(kv.Value.Emit())}},
		})
	}
	scope := &commonpb.InstrumentationScope{Name: scopeName, Version: version()}
	return &otlpCarrier{
		client:  client,
		request: []*tracepb.ResourceSpans{{Resource: of, ScopeSpans: []*tracepb.ScopeSpans{{Scope: scope}}}},
	}
}

func (c *otlpCarrier) convert(r *Record) encoded {
	c.spans = c.encoder.append(c.spans, r)
	return encoded{}
}

// export hands the spans to the client as fields that the message does not know,
// which protobuf writes as they are.
func (c *otlpCarrier) export(ctx context.Context, _ []encoded) error {
	c.request[0].ScopeSpans[0].ProtoReflect().SetUnknown(c.spans)
	return c.client.UploadTraces(ctx, c.request)
}

// reuse may write over the spans: clients encode a request before they send it.
func (c *otlpCarrier) reuse() {
	c.request[0].ScopeSpans[0].ProtoReflect().SetUnknown(nil)
	c.spans = c.spans[:0]
}

func (c *otlpCarrier) shutdown(ctx context.Context) error { return c.client.Stop(ctx) }
