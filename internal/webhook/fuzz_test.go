package webhook

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzReview: any body gets a 400, or an answer with the review's uid; whoever is
// refused gets no patch; and a patch is only for Pods.
func FuzzReview(f *testing.F) {
	reviews, err := filepath.Glob("../../test/webhook/testdata/*.review.json")
	if err != nil || len(reviews) == 0 {
		f.Fatal("no reviews", err)
	}
	for _, path := range reviews {
		content, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	for _, seed := range []string{"", "{}", "null", `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","operation":"CREATE","kind":{"version":"v1","kind":"Pod"},"object":{"metadata":{"labels":{"scopegate.io/inject":"true"}},"spec":{"containers":[null,{"env":[null]}],"volumes":[null],"initContainers":[{"name":"scopegate"}]}}}}`} {
		f.Add([]byte(seed))
	}
	config, err := parseConfig([]byte("image: i\nworkspace: https://example.cloud.databricks.com\ncredential: {secret: {name: s, configFile: c}}\n"))
	if err != nil {
		f.Fatal(err)
	}
	h := newHandler(func() *Config { return config }, Deny, slog.New(slog.DiscardHandler))
	f.Fuzz(func(t *testing.T, body []byte) {
		request := httptest.NewRequest(http.MethodPost, Path, strings.NewReader(string(body)))
		request.Header.Set("Content-Type", "application/json")
		recorder := httptest.NewRecorder()
		h.ServeHTTP(recorder, request)
		if recorder.Code == http.StatusBadRequest {
			return
		}
		var sent, got review
		if err := json.Unmarshal(body, &sent); err != nil || recorder.Code != http.StatusOK {
			t.Fatal(recorder.Code, err)
		}
		if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil || got.Response == nil {
			t.Fatal(err, recorder.Body)
		}
		r := got.Response
		var operations []operation
		if r.Patch != nil {
			if err := json.Unmarshal(r.Patch, &operations); err != nil || len(operations) == 0 {
				t.Fatal(err, string(r.Patch))
			}
		}
		if r.UID != sent.Request.UID || len(operations) > 0 && (!r.Allowed || sent.Request.Kind.Kind != "Pod") || !r.Allowed && (r.Status == nil || r.Status.Message == "") {
			t.Errorf("%+v", r)
		}
	})
}
