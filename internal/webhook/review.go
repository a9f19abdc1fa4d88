package webhook

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/scopegate/scopegate/internal/strictjson"
)

// The only version of reviews that there is.
const (
	reviewVersion = "admission.k8s.io/v1"
	reviewKind    = "AdmissionReview"
)

// review is an AdmissionReview, as it comes and as it goes.
type review struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Request    *request  `json:"request,omitempty"`
	Response   *response `json:"response,omitempty"`
}

type request struct {
	UID         string          `json:"uid"`
	Kind        groupVersion    `json:"kind"`
	SubResource string          `json:"subResource"`
	Namespace   string          `json:"namespace"`
	Name        string          `json:"name"`
	Operation   string          `json:"operation"`
	Object      json.RawMessage `json:"object"`
}

type groupVersion struct {
	Group   string `json:"group"`
	Version string `json:"version"`
	Kind    string `json:"kind"`
}

// podKind is that of the only objects that this webhook judges.
var podKind = groupVersion{Version: "v1", Kind: "Pod"}

type response struct {
	UID       string   `json:"uid"`
	Allowed   bool     `json:"allowed"`
	Status    *status  `json:"status,omitempty"`
	Warnings  []string `json:"warnings,omitempty"`
	PatchType string   `json:"patchType,omitempty"`
	Patch     []byte   `json:"patch,omitempty"` // in base64, as Kubernetes expects
}

type status struct {
	Code    int32  `json:"code"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// readReview decodes what the API server sends. Unknown members are ignored, because
// newer servers add some, but a member must not occur twice.
func readReview(body []byte) (*request, error) {
	var r review
	if err := strictjson.Unmarshal(body, &r); err != nil {
		return nil, fmt.Errorf("the body is not an AdmissionReview: %w", err)
	}
	switch {
	case r.APIVersion != reviewVersion || r.Kind != reviewKind:
		return nil, fmt.Errorf("the body must be an %s of %s; set admissionReviewVersions: [v1] in the webhook's configuration", reviewKind, reviewVersion)
	case r.Request == nil:
		return nil, errors.New("the AdmissionReview has no request")
	case r.Request.UID == "":
		return nil, errors.New("the AdmissionReview's request has no uid")
	}
	return r.Request, nil
}

// createsPod reports whether the request is for a new Pod.
func (r *request) createsPod() bool {
	return r.Operation == "CREATE" && r.SubResource == "" && r.Kind == podKind
}

// addsEphemeral reports whether the request adds ephemeral containers to a Pod. Its object
// is the whole Pod, as it would be.
func (r *request) addsEphemeral() bool {
	return r.Operation == "UPDATE" && r.SubResource == "ephemeralcontainers" && r.Kind == podKind
}

// answer wraps a response to the request.
func (r *request) answer(answer response) review {
	answer.UID = r.UID
	return review{APIVersion: reviewVersion, Kind: reviewKind, Response: &answer}
}

// operation is one of a JSON patch. An empty value is none: nothing here removes.
type operation struct {
	Op    string `json:"op"`
	From  string `json:"from,omitempty"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

func add(path string, value any) operation { return operation{Op: "add", Path: path, Value: value} }
func replace(path string, value any) operation {
	return operation{Op: "replace", Path: path, Value: value}
}
func move(from, path string) operation { return operation{Op: "move", From: from, Path: path} }
