package refusal

import (
	"net/http"
	"time"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
)

// exposedHeaders are those of our answers that a page cannot read unless it is told so.
const exposedHeaders = "X-Request-Id, X-Scopegate-Reason, X-Databricks-Reason-Phrase, WWW-Authenticate, Retry-After"

// The console of a browser does not show the answer to a preflight, but it quotes a value
// of Access-Control-Allow-Origin that is not an origin. Chromium calls a value with a space
// several values, which would mislead: hence underscores.
const (
	// allowsNoSuchOrigin says why pages of an origin cannot call.
	allowsNoSuchOrigin = "scopegate_does_not_allow_this_origin;_its_operator_can_with_the_option_cors_<origin>"
	// failedPreflight begins what is said of other preflights that we answer.
	failedPreflight = "scopegate_answered_this_preflight_itself:_"
)

// WriteCORS sets the headers by which a browser lets pages of an allowed origin read an
// answer of ours, and by which its console says why a preflight failed. It never allows
// what the workspace does not: a preflight that we answer fails.
func WriteCORS(header http.Header, r *http.Request, allowed judge.Origins, reason policy.Reason) {
	asked := judge.Of(r, time.Time{})
	_, preflight := asked.PreflightOrigin()
	if len(allowed) == 0 && !preflight {
		return
	}
	header.Add("Vary", "Origin")
	origins := r.Header["Origin"]
	switch {
	case reason == policy.CORSNotAllowed:
		header.Set("Access-Control-Allow-Origin", allowsNoSuchOrigin)
	case preflight:
		header.Set("Access-Control-Allow-Origin", failedPreflight+string(reason))
	case len(origins) != 1 || !allowed.Allow(origins[0]):
	case allowed.Any():
		allow(header, judge.AnyOrigin)
	default:
		allow(header, origins[0])
	}
}

func allow(header http.Header, origin string) {
	header.Set("Access-Control-Allow-Origin", origin)
	header.Set("Access-Control-Expose-Headers", exposedHeaders)
}
