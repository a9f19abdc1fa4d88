// Package otlptest is an OpenTelemetry collector's front door for tests: a real
// OTLP receiver on the loopback interface, over HTTP (protobuf) or gRPC, for spans
// and log records.
//
// What an exporter was asked to send proves little; what came over the wire, read
// back from its protobuf, proves that it was sent. So tests point the real exporters
// here by the standard variables ([Receiver.Setenv]) and wait for what they expect
// ([Receiver.WaitSpans], [Receiver.WaitLogs]).
//
// A receiver can also be as bad as collectors are: it can hang, be slow, refuse with
// a status, take only a part, or die with all its connections and come back at the
// same address ([Receiver.Stop], [StartAt]). Spans and logs of calls that it refused
// or left hanging are not among those received.
//
// It keeps the first [MaxKept] spans and as many log records, and counts the others.
package otlptest
