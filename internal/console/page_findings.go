package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/findings"
)

// findingsPage lists what is wrong with tokens and with the map.
var findingsPage = page{pattern: findingsPath, template: "findings", label: "Findings", title: "Findings", load: (*server).listFindings}

const (
	findingsPath = "/findings"
	// acknowledgePath is where a finding is acknowledged.
	acknowledgePath = "/findings/acknowledge"
	// maxFindings bounds how many are shown: what matters most comes first.
	maxFindings = 200
	// findingsPatience is how long to wait for findings that are older than a minute.
	findingsPatience = 5 * time.Second
	// maxForm bounds what acknowledging may send, in bytes.
	maxForm = 16 << 10
)

// findingsData is what the page Findings shows.
type findingsData struct {
	Filter findings.Filter
	Kinds  []findings.Kind
	States []findings.State
	// Query is the filter as the query of a URL.
	Query string
	// Filtered is true if it selects anything but the usual.
	Filtered bool
	// Off is true where findings are not evaluated.
	Off    bool
	Report findings.Report
	// More is how many match and are not shown.
	More int
}

func (s *server) listFindings(r *http.Request) (any, error) {
	query := r.URL.Query()
	data := findingsData{Kinds: findings.Kinds, States: findings.States}
	var err error
	if data.Filter.Kind, err = findings.ParseKind(query.Get("kind")); err != nil {
		return nil, errorf(http.StatusBadRequest, "%w", err)
	}
	if data.Filter.State, err = findings.ParseState(query.Get("state")); err != nil {
		return nil, errorf(http.StatusBadRequest, "%w", err)
	}
	data.Filter.Owner, data.Filter.TokenID = filterText(query, "owner"), filterText(query, "token")
	data.Query = findingsQuery(query)
	data.Filtered = data.Query != ""
	book, err := s.book()
	if err != nil {
		return nil, err
	}
	if book == nil {
		data.Off = true
		return data, nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), findingsPatience)
	defer cancel()
	failed := book.Refresh(ctx)
	data.Report = book.Report(data.Filter)
	if failed != nil && len(data.Report.Notes) == 0 {
		data.Report.Notes = append(data.Report.Notes, "what is shown may be old: "+failed.Error())
	}
	if n := len(data.Report.Findings); n > maxFindings {
		data.Report.Findings, data.More = data.Report.Findings[:maxFindings], n-maxFindings
	}
	return data, nil
}

// findingsQuery returns what is known of the query of the page, without what is empty.
func findingsQuery(query url.Values) string {
	known := url.Values{}
	for _, name := range []string{"state", "kind", "owner", "token"} {
		if value := query.Get(name); value != "" {
			known.Set(name, value)
		}
	}
	return known.Encode()
}

// book returns the findings of the workspace, nil if there are none.
func (s *server) book() (*findings.Book, error) {
	if len(s.Workspaces()) == 0 {
		return nil, nil
	}
	workspace, err := adminapi.WorkspaceOf(s, s.options.Workspace)
	if err != nil {
		return nil, err
	}
	return workspace.Findings, nil
}

// acknowledge acknowledges a finding, and leads back to the list. Only forms of ours get here, see
// protect.
func (s *server) acknowledge(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.showError(w, r, errorf(http.StatusBadRequest, "the form cannot be read; go back and try again"))
		return
	}
	book, err := s.book()
	if err == nil && book == nil {
		err = errorf(http.StatusNotFound, "findings are off for this workspace; see the option findings")
	}
	if err != nil {
		s.showError(w, r, err)
		return
	}
	request := findings.Acknowledge{Key: r.PostForm.Get("key"), Note: r.PostForm.Get("note"), By: s.user(r)}
	if _, err := book.Acknowledge(r.Context(), request); err != nil {
		status := http.StatusServiceUnavailable
		if _, ok := errors.AsType[*findings.RequestError](err); ok {
			status = http.StatusBadRequest
		}
		s.showError(w, r, errorf(status, "%w", err))
		return
	}
	target := url.URL{Path: findingsPath}
	if query, err := url.ParseQuery(r.PostForm.Get("back")); err == nil {
		target.RawQuery = findingsQuery(query) // the list that the finding was chosen from
	}
	http.Redirect(w, r, target.String(), http.StatusSeeOther)
}

// user returns who signed in, as far as that is known.
func (s *server) user(r *http.Request) string {
	if s.options.User == nil {
		return ""
	}
	return s.options.User(r)
}
