package webhook

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// post sends a body to a handler, and returns the response of an AdmissionReview.
func post(t *testing.T, h *handler, body string) *response {
	t.Helper()
	request := httptest.NewRequest(http.MethodPost, Path, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, request)
	var got review
	if recorder.Code != http.StatusOK {
		t.Fatalf("%d %s", recorder.Code, recorder.Body)
	}
	if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil || got.Response == nil {
		t.Fatal(err, recorder.Body)
	}
	return got.Response
}

func allowing(t *testing.T) *handler {
	t.Helper()
	config, err := parseConfig([]byte(valid))
	if err != nil {
		t.Fatal(err)
	}
	return newHandler(func() *Config { return config }, Allow, slog.New(slog.DiscardHandler))
}

// reviewOf returns one of a Pod with an annotation.
func reviewOf(annotation string) string {
	return `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u","kind":{"version":"v1","kind":"Pod"},"operation":"CREATE","object":{"metadata":{"labels":{"scopegate.io/inject":"true"},"annotations":{"a":"` + annotation + `"}},"spec":{"containers":[{"name":"c"}]}}}}`
}

// TestLargeReview: the largest object that Kubernetes stores, in the longest JSON of it,
// gets the gateway.
func TestLargeReview(t *testing.T) {
	t.Parallel()
	h := allowing(t)
	for range maxLarge + 1 { // each gives its turn back
		if got := post(t, h, reviewOf(strings.Repeat(`\u003c`, 3<<19))); !got.Allowed || got.Patch == nil {
			t.Fatalf("%+v", got)
		}
	}
}

// TestTooLargeReview: a Pod cannot get around the gateway by its size, whatever the
// failure policy.
func TestTooLargeReview(t *testing.T) {
	t.Parallel()
	h := allowing(t)
	for range maxLarge + 1 {
		got := post(t, h, reviewOf(strings.Repeat("a", maxReview)))
		if got.Allowed || got.UID != "u" || got.Status == nil || !strings.Contains(got.Status.Message, "larger than 10 MiB") {
			t.Fatalf("%+v", got)
		}
	}
}

// TestBusy: a large review that gets no turn is refused, and a small one needs none.
func TestBusy(t *testing.T) {
	t.Parallel()
	h := allowing(t)
	h.largeWait = time.Millisecond
	for range maxLarge {
		h.large <- struct{}{}
	}
	got := post(t, h, reviewOf(strings.Repeat("a", smallReview)))
	if got.Allowed || got.UID != "u" || !strings.Contains(got.Status.Message, "busy") {
		t.Errorf("%+v", got)
	}
	if got := post(t, h, reviewOf("a")); !got.Allowed || got.Patch == nil {
		t.Errorf("%+v", got)
	}
}

func TestUIDOf(t *testing.T) {
	t.Parallel()
	for start, want := range map[string]string{
		`{"request":{"uid":"u","obj`:                                "u",
		`{"kind":"A","x":{"uid":"v"},"request":{"a":[1],"uid":"u",`: "u",
		`{"uid":"v","request":{"name":"uid"`:                        "",
		`{"request":{"uid":1}}`:                                     "",
		`{"request":{"uid":"half`:                                   "",
		`{"request":{"object":{"uid":"v"`:                           "",
		`[{"request":{"uid":"u"}}]`:                                 "",
		`   `:                                                       "",
	} {
		if got := uidOf([]byte(start)); got != want {
			t.Errorf("%s: %q", start, got)
		}
	}
}
