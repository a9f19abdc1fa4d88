// Package otlptest is an OTLP receiver for tests. It accepts spans and log records on
// the loopback interface, over HTTP (protobuf) or gRPC.
//
// Mocking an exporter proves little; decoding what arrives over the wire proves that
// it was sent. So tests point the real exporters here with the standard variables
// ([Receiver.Setenv]) and wait for what they expect ([Receiver.WaitSpans],
// [Receiver.WaitLogs]).
//
// A receiver can also fail the way collectors do: hang, respond slowly, refuse with a
// status, accept only part of a call, or die with all its connections and come back
// at the same address ([Receiver.Stop], [StartAt]). Spans and logs of calls that it
// refused or left hanging don't count as received.
//
// It keeps the first [MaxKept] spans and log records, and only counts the rest.
package otlptest
