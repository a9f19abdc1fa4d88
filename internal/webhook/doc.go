// Package webhook is the mutating admission webhook of Kubernetes that adds the gateway
// to Pods as a native sidecar: an init container that keeps running.
//
// It reads the few fields of a Pod that matter, and answers with a JSON patch (RFC 6902)
// of a handful of operations. It links neither k8s.io/api nor k8s.io/apimachinery: they
// add 3.5 MB to a program for structs of which it needs thirty fields. Nor does it
// compare two Pods to find a patch: its operations only add and replace, and touch
// nothing else.
//
// The author of a Pod is not trusted. What a Pod asks for in annotations must stand in
// the configuration's allowOverrides, and a container that only looks like the gateway
// is refused.
package webhook
