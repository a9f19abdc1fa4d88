package judge

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// Origins are the web origins whose pages may call the workspace through the gateway, in
// the form that browsers send, sorted. [AnyOrigin] alone stands for all. The zero value
// allows none.
type Origins []string

// AnyOrigin allows every origin.
const AnyOrigin = "*"

// Allow reports whether pages of an origin, as an Origin header names it, may call. Browsers
// send scheme, host and port in one form only, so other spellings are other origins.
func (o Origins) Allow(origin string) bool {
	return origin != "" && (o.Any() || slices.Contains(o, origin))
}

// Any reports whether every origin is allowed.
func (o Origins) Any() bool { return len(o) == 1 && o[0] == AnyOrigin }

// ParseOrigins parses what an operator wrote. Origins that mean the same are one.
func ParseOrigins(values []string) (Origins, error) {
	var origins Origins
	for _, value := range values {
		origin, err := parseOrigin(value)
		if err != nil {
			return nil, err
		}
		origins = append(origins, origin)
	}
	slices.Sort(origins)
	origins = slices.Compact(origins)
	if len(origins) > 1 && origins[0] == AnyOrigin {
		return nil, errors.New("cors * allows every origin; remove the others, or the *")
	}
	return origins, nil
}

// originExamples completes the errors.
const originExamples = "such as https://app.example.com or http://localhost:3000"

// parseOrigin returns an origin in the form that browsers send: in lower case, the host in
// ASCII, and without the default port.
func parseOrigin(value string) (string, error) {
	switch {
	case value == AnyOrigin:
		return AnyOrigin, nil
	case strings.Contains(value, "@"): // not quoted
		return "", errors.New("cors: an origin has no user name or password; remove them")
	case strings.Contains(value, ","):
		return "", fmt.Errorf("cors: %q has a comma; separate origins by spaces", value)
	case strings.EqualFold(value, "null"):
		return "", errors.New("cors cannot allow the origin null, which local files and sandboxed frames of any site have; serve the page from an origin of its own")
	case strings.Contains(value, "*"):
		return "", fmt.Errorf("cors takes no patterns: %q; list every origin, or write * for all", value)
	case !strings.Contains(value, "://"):
		return "", fmt.Errorf("cors: %q lacks its scheme; write an origin with scheme and host, %s", value, originExamples)
	}
	u, err := url.Parse(value)
	switch {
	case err != nil:
		return "", fmt.Errorf("cors: a value is not an origin; write scheme, host and port, %s", originExamples)
	case u.Scheme != "http" && u.Scheme != "https" && !strings.HasSuffix(u.Scheme, "-extension"):
		return "", fmt.Errorf("cors: the scheme of %q is that of no web page; write http:// or https://, or that of a browser extension", value)
	}
	host, err := originHost(u.Hostname())
	if err != nil {
		return "", fmt.Errorf("cors: %q has no valid host; write an origin %s", value, originExamples)
	}
	origin := u.Scheme + "://" + host
	if port := u.Port(); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return "", fmt.Errorf("cors: the port of %q must be a number between 1 and 65535", value)
		}
		if !(u.Scheme == "http" && n == 80 || u.Scheme == "https" && n == 443) {
			origin += ":" + strconv.FormatUint(n, 10)
		}
	}
	if u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(value, "#") {
		return "", fmt.Errorf("cors: an origin ends with its host or port; write %s", origin)
	}
	return origin, nil
}

// originHost returns a host as browsers write it.
func originHost(host string) (string, error) {
	if address, err := netip.ParseAddr(host); err == nil {
		if address.Zone() != "" {
			return "", errors.New("a browser sends no zone")
		}
		if address.Is6() {
			return "[" + address.String() + "]", nil
		}
		return address.String(), nil
	}
	ascii, err := idna.Lookup.ToASCII(host)
	if err != nil || ascii == "" {
		// Underscores are no letters of a host name, but browsers and containers have them.
		ascii = strings.ToLower(host)
	}
	label := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
	}
	if last := ascii[strings.LastIndexByte(ascii, '.')+1:]; strings.Trim(last, "0123456789") == "" {
		return "", errors.New("not an address that browsers write") // 127.1, or a dot at the end
	}
	if strings.ContainsFunc(ascii, func(c rune) bool { return !label(c) }) {
		return "", errors.New("not a host")
	}
	return ascii, nil
}
