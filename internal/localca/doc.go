// Package localca gives a gateway a certificate of a certificate authority on this machine:
// Caddy's internal one, in a folder of its own, with its root certificate in a file that
// clients can be told to trust.
package localca
