package console

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/usage"
)

// mapPage tells what a request needs, how that is known, and where the workspace disagrees.
var mapPage = page{pattern: "/map", template: "map", label: "Map", title: "Map", all: true, load: (*server).mapData}

// mapData is what the page shows.
type mapData struct {
	Method, Path, Scopes, TokenID string
	// Answer is nil without a question, or if there is none; Problem says then why.
	Answer  *mapAnswer
	Problem string
	// Drift are disagreements: those of the answer's operation, or all.
	Drift   []driftRow
	Notes   []string
	Methods []option
}

// mapAnswer tells about one request.
type mapAnswer struct {
	adminapi.Explanation
	Needs string
	// Confirmations says how often the workspace's answers agreed; empty if none did.
	Confirmations string
	// For says for whom it was judged.
	For string
}

// driftRow is an operation about which the workspace disagrees with the map.
type driftRow struct {
	usage.DriftRow
	Last when
}

// methods are what the form offers.
var methods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead}

func (s *server) mapData(r *http.Request) (any, error) {
	query := r.URL.Query()
	data := &mapData{
		Method: strings.ToUpper(cmp.Or(query.Get("method"), http.MethodGet)), Path: strings.TrimSpace(query.Get("path")),
		Scopes: strings.TrimSpace(query.Get("scopes")), TokenID: strings.TrimSpace(query.Get("token_id")),
	}
	data.Methods = methodOptions(data.Method)
	if data.Path != "" {
		if err := s.answer(r, data); err != nil {
			return nil, err
		}
	}
	workspace, err := s.workspace()
	if err != nil {
		data.Notes = append(data.Notes, err.Error())
		return data, nil
	}
	drift := workspace.Drift(r.Context(), s).Open()
	data.Notes = append(data.Notes, drift.Notes...)
	for i := range drift.Rows {
		row := &drift.Rows[i]
		if data.Answer == nil || row.Operation == data.Answer.Operation {
			data.Drift = append(data.Drift, driftRow{*row, newWhen(row.Last, drift.At)})
		}
	}
	return data, nil
}

// answer fills in the answer. Its error is none of the question's.
func (s *server) answer(r *http.Request, data *mapData) error {
	question := url.Values{"method": {data.Method}, "path": {data.Path}}
	forWhom := "a token that may do everything"
	if data.Scopes != "" {
		list := strings.FieldsFunc(data.Scopes, func(c rune) bool { return c == ',' || c == ' ' })
		question.Set("scopes", strings.Join(list, ","))
		forWhom = "a token with " + strings.Join(list, ", ")
	}
	if data.TokenID != "" {
		question.Set("token_id", data.TokenID)
		forWhom = "the token " + short(data.TokenID)
	}
	explained, err := adminapi.Explain(r.Context(), s, question)
	if failed, ok := errors.AsType[*adminapi.Error](err); ok {
		data.Problem = failed.Error()
		return nil
	}
	if err != nil {
		return err
	}
	data.Answer = &mapAnswer{Explanation: explained, For: forWhom}
	if explained.Row != nil {
		data.Answer.Needs = judge.Needs(explained.Row)
	}
	if explained.Confirmed > 0 {
		data.Answer.Confirmations = usage.ConfirmedHere(explained.Confirmed)
	}
	return nil
}

func methodOptions(selected string) (all []option) {
	known := false
	for _, method := range methods {
		all = append(all, option{method, method, method == selected})
		known = known || method == selected
	}
	if !known {
		all = append(all, option{selected, selected, true})
	}
	return all
}
