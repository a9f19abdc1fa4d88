// Package metrics holds every metric of the gateway. They are listed in one place,
// [New]: name, help and labels.
//
// To add a metric, add its line there with a field in [Metrics], a method that counts,
// its name to docs/reference.md, and a panel to the dashboard. The tests check all of it.
//
// All label values come from fixed lists. A client must not be able to add a series.
package metrics
