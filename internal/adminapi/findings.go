package adminapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/scopegate/scopegate/internal/findings"
	"github.com/scopegate/scopegate/internal/strictjson"
)

// maxAcknowledge bounds the body of a request to acknowledge, in bytes.
const maxAcknowledge = 16 << 10

// FindingsQuery selects findings. The zero value asks for those that hold in the only
// workspace, as JSON.
type FindingsQuery struct {
	// Workspace is the URL of the workspace. It may be empty if there is only one.
	Workspace string
	// Format is json, csv or table. Default: json.
	Format string
	// State, Kind and Owner are those of a [findings.Filter], which the gateway checks.
	State, Kind, Owner string
	// TokenID is the id of a token, or its beginning.
	TokenID string
}

func (q FindingsQuery) encode() url.Values {
	query := url.Values{}
	set(query, paramWorkspace, q.Workspace)
	set(query, paramFormat, q.Format)
	set(query, paramState, q.State)
	set(query, paramKind, q.Kind)
	set(query, paramOwner, q.Owner)
	set(query, paramTokenID, q.TokenID)
	return query
}

// findings says what is wrong with the tokens of a workspace.
func (s *server) findings(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if err := knownParameters(query, paramFormat, paramWorkspace, paramState, paramKind, paramOwner, paramTokenID); err != nil {
		return err
	}
	format, err := tableFormatOf(query, (*findings.Report).WriteJSON, (*findings.Report).WriteCSV, (*findings.Report).WriteTable)
	if err != nil {
		return err
	}
	filter := findings.Filter{Owner: query.Get(paramOwner), TokenID: query.Get(paramTokenID)}
	if filter.State, err = findings.ParseState(query.Get(paramState)); err != nil {
		return errorf(http.StatusBadRequest, "%w", err)
	}
	if filter.Kind, err = findings.ParseKind(query.Get(paramKind)); err != nil {
		return errorf(http.StatusBadRequest, "%w", err)
	}
	book, err := s.bookOf(query.Get(paramWorkspace))
	if err != nil {
		return err
	}
	failed := book.Refresh(r.Context())
	report := book.Report(filter)
	if failed != nil && len(report.Notes) == 0 {
		report.Notes = append(report.Notes, failed.Error())
	}
	return format.answer(w, &report)
}

// bookOf returns the findings of a workspace.
func (s *server) bookOf(url string) (*findings.Book, error) {
	workspace, err := WorkspaceOf(s, url)
	switch {
	case err != nil:
		return nil, err
	case workspace.Findings == nil:
		return nil, errorf(http.StatusNotFound, "this gateway has no findings: the option findings is off, or it is an edge, whose authority has them")
	}
	return workspace.Findings, nil
}

// acknowledge marks a finding as known.
func (s *server) acknowledge(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if err := knownParameters(query, paramWorkspace); err != nil {
		return err
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAcknowledge+1))
	switch {
	case err != nil:
		return errorf(http.StatusBadRequest, "reading the body: %w", err)
	case len(body) > maxAcknowledge:
		return errorf(http.StatusRequestEntityTooLarge, "the body has more than %d KiB", maxAcknowledge>>10)
	}
	request, err := readAcknowledge(body)
	if err != nil {
		return errorf(http.StatusBadRequest, `reading the body: %w; write {"key": "unscoped:<token id>", "note": "why", "until": "2026-12-31T00:00:00Z"}`, err)
	}
	book, err := s.bookOf(query.Get(paramWorkspace))
	if err != nil {
		return err
	}
	finding, err := book.Acknowledge(r.Context(), request)
	var mistake *findings.RequestError
	switch {
	case errors.Is(err, findings.ErrUnknownKey):
		return errorf(http.StatusNotFound, "%w", err)
	case errors.Is(err, findings.ErrResolved):
		return errorf(http.StatusConflict, "%w", err)
	case errors.As(err, &mistake):
		return errorf(http.StatusBadRequest, "%w", err)
	case err != nil:
		return errorf(http.StatusServiceUnavailable, "the acknowledgment is not saved: %w", err)
	}
	return writeJSON(w, http.StatusOK, finding)
}

// readAcknowledge refuses members that are misspelled or there twice: a note or an end that is
// lost silently would be worse than an error.
func readAcknowledge(body []byte) (request findings.Acknowledge, err error) {
	if err := strictjson.Check(body); err != nil {
		return request, err
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	return request, decoder.Decode(&request)
}

// FindingsReport returns findings in the format that the query names. Close it.
func (c Client) FindingsReport(q FindingsQuery) (io.ReadCloser, error) {
	return c.do(http.MethodGet, routeFindings, q.encode(), nil)
}

// Findings returns findings, whatever the format that the query names.
func (c Client) Findings(q FindingsQuery) (findings.Report, error) {
	q.Format = formatJSON
	var report findings.Report
	err := c.read(routeFindings, q.encode(), &report)
	return report, err
}

// Acknowledge marks a finding of a workspace as known. The workspace may be empty if there is
// only one.
func (c Client) Acknowledge(workspace string, request findings.Acknowledge) (findings.Finding, error) {
	query := url.Values{}
	set(query, paramWorkspace, workspace)
	body, err := json.Marshal(request)
	if err != nil {
		return findings.Finding{}, err
	}
	var finding findings.Finding
	err = c.exchange(http.MethodPost, routeAccept, query, bytes.NewReader(body), &finding)
	return finding, err
}
