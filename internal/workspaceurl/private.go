package workspaceurl

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// CheckScheme refuses a workspace over plain HTTP, through which tokens would travel in
// the clear, unless it is in a private network or the operator insists.
func CheckScheme(workspace *url.URL, insecure bool) error {
	if workspace.Scheme != "http" || insecure || IsPrivate(workspace.Hostname()) {
		return nil
	}
	return fmt.Errorf("workspace %s is not encrypted: tokens and the admin credential would cross the network in the clear; write https://%s, or set insecure_http if the network in between is yours", workspace.Redacted(), workspace.Host)
}

// privateSuffixes end the names of hosts that only a private network resolves.
var privateSuffixes = []string{
	"localhost", "local", "internal", "test", "svc", "lan", "home", "corp", "private", "intranet", "home.arpa",
}

// carrierGrade is the shared address space of RFC 6598, which clusters use for pods.
var carrierGrade = netip.MustParsePrefix("100.64.0.0/10")

// IsPrivate reports whether a host is on this machine or in a private network: loopback
// and private addresses, names of one label, and names below the suffixes that private
// networks and clusters use.
func IsPrivate(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if address, err := netip.ParseAddr(host); err == nil {
		address = address.WithZone("").Unmap()
		return address.IsLoopback() || address.IsPrivate() || address.IsLinkLocalUnicast() || address.IsUnspecified() ||
			carrierGrade.Contains(address)
	}
	labels := strings.Split(host, ".")
	if numeric.MatchString(labels[len(labels)-1]) {
		return false // some resolvers read 134744072 or 8.8.2056 as an IPv4 address
	}
	return len(labels) == 1 || slices.ContainsFunc(privateSuffixes, func(suffix string) bool {
		return host == suffix || strings.HasSuffix(host, "."+suffix)
	})
}

// numeric matches a label that can be a number of an IPv4 address.
var numeric = regexp.MustCompile(`^(\d+|0x[0-9a-f]*)$`)
