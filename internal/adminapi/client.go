package adminapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

// Client asks a running gateway. Its errors are a [*RefusedError] or an
// [*UnreachableError].
type Client struct {
	// Address is where the gateway's admin API listens, as Caddy writes addresses.
	Address string
	// Do sends a request there. Where it returns an error for an answer that is one,
	// as caddycmd.AdminAPIRequest does, the error's text must end in the answer's body.
	Do Do
}

// Do sends a request to an admin API. The uri is a path with a query. The caller closes
// the answer's body.
type Do func(address, method, uri string, header http.Header, body io.Reader) (*http.Response, error)

// Report returns a report in the format that the query names. Close it.
func (c Client) Report(q ReportQuery) (io.ReadCloser, error) {
	return c.do(http.MethodGet, routeUsage, q.encode(), nil)
}

// TokenIDs returns the ids of all tokens of a workspace that the gateway reports on.
func (c Client) TokenIDs(workspace string) ([]string, error) {
	var report struct {
		Rows []struct {
			ID string `json:"id"`
		} `json:"rows"`
	}
	if err := c.read(routeUsage, ReportQuery{Workspace: workspace}.encode(), &report); err != nil {
		return nil, err
	}
	var ids []string
	for _, row := range report.Rows {
		ids = append(ids, row.ID)
	}
	return ids, nil
}

// Recommend returns a recommendation. Callers must not trust it to be about the token
// that they asked for.
func (c Client) Recommend(q RecommendQuery) (*usage.Recommendation, error) {
	recommendation := new(usage.Recommendation)
	if err := c.read(routeRecommend, q.encode(), recommendation); err != nil {
		return nil, err
	}
	return recommendation, nil
}

// Plan returns a recommendation for each token that the query selects.
func (c Client) Plan(q PlanQuery) (*usage.Plan, error) {
	plan := new(usage.Plan)
	if err := c.read(routePlan, q.encode(), plan); err != nil {
		return nil, err
	}
	return plan, nil
}

// DriftReport returns a report on the map in the format that the query names. Close it.
func (c Client) DriftReport(q DriftQuery) (io.ReadCloser, error) {
	return c.do(http.MethodGet, routeDrift, q.encode(), nil)
}

// Drift returns a report on the map, whatever the format that the query names.
func (c Client) Drift(q DriftQuery) (*usage.Drift, error) {
	q.Format = formatJSON
	drift := new(usage.Drift)
	if err := c.read(routeDrift, q.encode(), drift); err != nil {
		return nil, err
	}
	return drift, nil
}

// Base returns the map that the routes of a workspace go over. The workspace may be empty if
// there is only one.
func (c Client) Base(workspace string) (*scopes.Catalog, error) {
	query := url.Values{paramBase: {"true"}}
	set(query, paramWorkspace, workspace)
	answer, err := c.do(http.MethodGet, routeCatalog, query, nil)
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	var catalog *scopes.Catalog
	rows, err := scopes.Parse(io.LimitReader(answer, maxCatalog), "map")
	if err == nil {
		catalog, err = scopes.New(rows)
	}
	if err != nil || len(rows) == 0 {
		return nil, &UnreachableError{c.Address, errors.New("reading the answer: it is no map")}
	}
	return catalog, nil
}

// maxCatalog bounds what is read of a map, in bytes.
const maxCatalog = 32 << 20

// read decodes the JSON that the gateway answers.
func (c Client) read(route string, query url.Values, to any) error {
	return c.exchange(http.MethodGet, route, query, nil, to)
}

// exchange sends a body and decodes the JSON that the gateway answers.
func (c Client) exchange(method, route string, query url.Values, body io.Reader, to any) error {
	answer, err := c.do(method, route, query, body)
	if err != nil {
		return err
	}
	defer answer.Close()
	if err := json.NewDecoder(answer).Decode(to); err != nil {
		return &UnreachableError{c.Address, fmt.Errorf("reading the answer: %w", err)}
	}
	return nil
}

// do asks for the connection to be closed: [Do] may make one for each request, and a command
// that watches a gateway makes thousands of requests.
func (c Client) do(method, route string, query url.Values, body io.Reader) (io.ReadCloser, error) {
	uri := Prefix + route
	if len(query) > 0 {
		uri += "?" + query.Encode()
	}
	answer, err := c.Do(c.Address, method, uri, http.Header{"Connection": {"close"}}, body)
	if err == nil && answer.StatusCode >= http.StatusBadRequest {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, maxRefusal))
		_ = answer.Body.Close() // it was only read
		err = fmt.Errorf("HTTP %d: %s", answer.StatusCode, text)
	}
	if err == nil {
		return answer.Body, nil
	}
	if refused := asRefused(err); refused != nil {
		return nil, refused
	}
	return nil, &UnreachableError{c.Address, err}
}

// maxRefusal bounds what is read of a refusal, in bytes.
const maxRefusal = 64 << 10

// RefusedError is an error with which the gateway answered.
type RefusedError struct {
	// Message is the gateway's own.
	Message string
}

func (e *RefusedError) Error() string { return "the gateway says: " + e.Message }

// asRefused finds the JSON of a refusal, in which an error's text ends. It returns nil
// for other errors.
func asRefused(err error) *RefusedError {
	_, text, ok := strings.Cut(err.Error(), ": {")
	if !ok {
		return nil
	}
	var refusal struct {
		Error string `json:"error"`
	}
	if json.Unmarshal([]byte("{"+text), &refusal) == nil && refusal.Error != "" {
		return &RefusedError{refusal.Error}
	}
	return nil
}

// UnreachableError says that nothing answers at an address, or not what a gateway
// would.
type UnreachableError struct {
	Address string
	Err     error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("asking the gateway at %s: %v", e.Address, e.Err)
}

func (e *UnreachableError) Unwrap() error { return e.Err }
