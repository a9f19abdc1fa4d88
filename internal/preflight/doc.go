// Package preflight finds out, before a gateway starts and after it was installed, whether
// what it needs is there: the workspace, the credential, the files and the ports. It knows
// nothing of Caddy. No result holds a secret.
package preflight
