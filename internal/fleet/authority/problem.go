package authority

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/scopegate/scopegate/internal/fleet/wire"
)

// problem is an answer that refuses a request.
type problem struct {
	status int
	body   wire.Problem
	// retry is for Retry-After, 0 for none.
	retry time.Duration
}

func refuse(status int, code, message string) *problem {
	return &problem{status: status, body: wire.Problem{Code: code, Message: message}}
}

func malformed(message string) *problem {
	return refuse(http.StatusBadRequest, wire.MalformedCode, message)
}

func tooMany(message string, retry time.Duration) *problem {
	return &problem{http.StatusTooManyRequests, wire.Problem{Code: wire.RateCode, Message: message}, max(retry, time.Second)}
}

func unavailable(message string) *problem {
	return &problem{http.StatusServiceUnavailable, wire.Problem{Code: wire.UnavailableCode, Message: message}, time.Second}
}

var (
	errInsecure     = refuse(http.StatusForbidden, wire.InsecureCode, "use https: credentials and facts about tokens travel here")
	errUnauthorized = refuse(http.StatusUnauthorized, wire.UnauthorizedCode, "unauthorized")
	errNoRoute      = refuse(http.StatusNotFound, wire.NoRouteCode,
		"there is GET tokens/{id}, GET owners/{id}, GET changes, POST changes, POST acks and PUT usage/{instance} below "+wire.Prefix+", and no list of anything")
	errTooLarge    = refuse(http.StatusRequestEntityTooLarge, wire.TooLargeCode, "the body is too large")
	errSubscribers = &problem{http.StatusServiceUnavailable,
		wire.Problem{Code: wire.UnavailableCode, Message: "there are as many subscribers as limits allow; ask another authority"}, 5 * time.Second}
	errClosing = unavailable("this authority is shutting down or was reconfigured; ask another one")
)

// refusals are the codes that observers are told of, and what these call them.
var refusals = map[string]string{
	wire.UnauthorizedCode: "unauthorized",
	wire.ForbiddenCode:    "forbidden",
	wire.RateCode:         "rate",
	wire.MalformedCode:    "malformed",
	wire.TooLargeCode:     "malformed",
	wire.WorkspaceCode:    "workspace",
	wire.InsecureCode:     "insecure",
}

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, p *problem) {
	s.logRefusal(r, p)
	if reason, told := refusals[p.body.Code]; told {
		s.options.Observer.EdgeRefused(reason)
	}
	if p.retry > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(wholeSeconds(p.retry), 10))
	}
	if p.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	s.answer(w, p.status, p.body)
}

func wholeSeconds(d time.Duration) int64 {
	return max(1, int64((d+time.Second-1)/time.Second))
}

// answer writes a JSON body within a deadline, so that an edge that does not read it holds
// nothing for long.
func (s *Server) answer(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil || len(data) > wire.MaxAnswer {
		status, data = http.StatusInternalServerError, []byte(`{"code":"unavailable","message":"the answer cannot be written"}`)
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(status)
	_, _ = w.Write(data) // an edge that left needs no answer
	_ = http.NewResponseController(w).Flush()
}
