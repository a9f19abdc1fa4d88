package console

import (
	"bytes"
	"net/http"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/native"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
)

// nativePolicy is what Databricks' own mechanisms would take for a token.
type nativePolicy struct {
	Notes []string
	// Permitted and Refused count operations that work today.
	Permitted, Refused int
	Terraform          string
	// Problem says why there is none.
	Problem string
}

// nativeDocument writes the document of one token, as scopes recommend --native does.
func nativeDocument(known *knownToken) (*native.Document, error) {
	row := known.row
	subject := native.Subject{
		Recommendation: known.recommendation,
		Owner:          native.Principal{ID: row.OwnerID, Type: native.TypeOf(row.OwnerName), Name: row.OwnerName},
	}
	if row.Seen != nil {
		subject.Seen = row.Seen.Uses
	}
	return native.Build([]native.Subject{subject}, native.Options{})
}

// newNativePolicy returns nil for a token without a recommendation.
func newNativePolicy(known *knownToken) *nativePolicy {
	if known.recommendation == nil {
		return nil
	}
	document, err := nativeDocument(known)
	if err != nil {
		return &nativePolicy{Problem: err.Error()}
	}
	p := &nativePolicy{Notes: document.Notes, Refused: len(document.Refused())}
	for _, v := range document.Verdicts {
		if v.Works && v.Permitted {
			p.Permitted++
		}
	}
	var text bytes.Buffer
	if err := document.WriteTerraform(&text); err != nil {
		return &nativePolicy{Problem: err.Error()}
	}
	p.Terraform = text.String()
	return p
}

// nativeFile answers with the document of a token as a file: JSON, or Terraform's language.
func (s *server) nativeFile(w http.ResponseWriter, r *http.Request) {
	known, err := s.knownOf(r)
	if err == nil && known.recommendation == nil {
		err = errorf(http.StatusNotFound, "there is no recommendation for this token, so there is no policy: %s", known.why)
	}
	if err != nil {
		s.showError(w, r, err)
		return
	}
	document, err := nativeDocument(known)
	if err != nil {
		s.showError(w, r, errorf(http.StatusConflict, "%w", err))
		return
	}
	write, kind, suffix := document.WriteJSON, "application/json", ".json"
	if r.PathValue("form") == "terraform" {
		write, kind, suffix = document.WriteTerraform, "text/plain; charset=utf-8", ".tf"
	}
	var out bytes.Buffer
	if err := write(&out); err != nil {
		s.showError(w, r, err)
		return
	}
	download(w, kind, "scopegate-"+known.row.ID[:idDigits]+suffix)
	defer hurry(w)()
	_, _ = w.Write(out.Bytes()) // the browser may have left
}

// knownToken is a token of a report, and what follows from what was recorded about it.
type knownToken struct {
	report *usage.Report
	row    *usage.Row
	// recommendation is nil if there is none; why says then why.
	recommendation *usage.Recommendation
	why            string
}

// knownOf returns the token that a path names.
func (s *server) knownOf(r *http.Request) (*knownToken, error) {
	id, err := tokens.ParseID(r.PathValue("id"))
	if err != nil {
		return nil, errorf(http.StatusBadRequest, "%q is not the id of a token, which has 64 hexadecimal digits; search for a part of it on the page Tokens", r.PathValue("id"))
	}
	report, err := s.report(r.Context())
	if err != nil {
		return nil, err
	}
	known := &knownToken{report: report}
	if known.row, err = find(report, id.String()); err != nil {
		return nil, err
	}
	workspace, err := s.workspace()
	if err != nil {
		return nil, err
	}
	recommendation, err := adminapi.Recommend(r.Context(), s, &workspace, id, 0)
	if err != nil {
		known.why = err.Error()
		return known, nil //nolint:nilerr // the page says why
	}
	known.recommendation = &recommendation
	return known, nil
}
