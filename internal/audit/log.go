package audit

import (
	"strings"

	"go.uber.org/zap"

	"github.com/scopegate/scopegate/scopes"
)

// Log writes a record as one line. The set of fields is the same for every
// record, so that whoever searches for denials finds in them what is in allows.
func Log(logger *zap.Logger, r *Record) {
	if entry := logger.Check(zap.InfoLevel, "decision"); entry != nil {
		entry.Write(fields(r)...)
	}
}

// FieldNames returns the names of the fields of every line, in their order.
func FieldNames() []string {
	var names []string
	for _, field := range fields(new(Record)) {
		names = append(names, field.Key)
	}
	return names
}

// fields are those of one line. Durations are in seconds, as in Caddy's own access
// log.
func fields(r *Record) []zap.Field {
	var operation scopes.Operation
	if r.Operation != nil {
		operation = *r.Operation
	}
	return []zap.Field{
		zap.String("decision", string(r.Verdict)),
		zap.Bool("enforced", r.Enforced),
		zap.String("reason", string(r.Reason)),
		zap.String("method", r.Method),
		zap.String("path", r.Path),
		zap.String("operation", operation.Name),
		zap.String("template", operation.Template),
		zap.Strings("required_scopes", operation.AnyOf),
		zap.String("evidence", string(operation.Evidence)),
		zap.String("policy", r.Policy),
		zap.String("token_id", r.TokenID),
		zap.Int64("owner_id", r.OwnerID),
		zap.String("creator", r.Creator),
		zap.Strings("token_scopes", r.TokenScopes),
		zap.Float64("facts_age", r.FactsAge.Seconds()),
		zap.String("facts_source", string(r.FactsSource)),
		zap.String("detail", r.Detail),
		zap.Strings("dropped_headers", cutNames(r.Dropped)),
		zap.String("catalog", r.Catalogue),
		zap.Int("status", r.Status),
		zap.Int("bytes_sent", r.BytesSent),
		zap.String("client_address", r.ClientAddress),
		zap.String("user_agent", r.UserAgent),
		zap.String("request_id", r.RequestID),
		zap.String("trace_id", r.TraceID),
		zap.Float64("decision_duration", r.DecisionDuration.Seconds()),
		zap.Float64("duration", r.Duration.Seconds()),
	}
}

// cutNames shortens a list that a client chose, and says so.
func cutNames(names []string) []string {
	const limit, maxName = 16, 64
	cutted := make([]string, 0, min(len(names), limit+1))
	for i, name := range names {
		if i == limit {
			return append(cutted, "…")
		}
		cutted = append(cutted, cut(name, maxName))
	}
	return cutted
}

// Required tells what an operation asks for, in the form of the placeholders and
// the refusal's metadata.
func Required(operation *scopes.Operation) string {
	if operation == nil {
		return ""
	}
	return strings.Join(operation.AnyOf, ",")
}
