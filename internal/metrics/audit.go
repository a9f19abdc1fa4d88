package metrics

// AuditDropped counts records that an audit sink lost: log, output, traces or logs.
func (m *Metrics) AuditDropped(sink string, n int) { m.dropped.add(sink, n) }
