package ocsf

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Action is what the gateway did with a request.
type Action struct{ action, disposition enum }

// Actions.
var (
	Allowed = Action{enum{1, "Allowed"}, enum{1, "Allowed"}}
	Denied  = Action{enum{2, "Denied"}, enum{2, "Blocked"}}
	// Observed is for refusals that are only recorded.
	Observed = Action{enum{3, "Observed"}, enum{17, "Logged"}}
)

// Status says how a request ended.
type Status enum

// Statuses.
var (
	Unfinished = Status{0, "Unknown"}
	Success    = Status{1, "Success"}
	Failure    = Status{2, "Failure"}
)

// Call is a decision about a request. Texts that are not known are empty.
type Call struct {
	Arrived   time.Time
	RequestID string
	TraceID   string

	Method    string
	Path      string // without query; may be a template
	Host      string // of the workspace
	UserAgent string
	Address   string // of the client
	Received  int64  // bytes of the body

	// Operation is as in the map, such as "jobs.RunNow", and Reads says that it changes
	// nothing.
	Operation string
	Reads     bool

	// TokenID is the hash of the token, and UserID and User are its owner.
	TokenID string
	UserID  int64 // 0 if it is not known
	User    string

	Action   Action
	Severity Severity
	Status   Status
	Reason   string // reason code
	Detail   string
	Error    string // what went wrong (fixed list)

	// Policy refused the request, and Asks is what it requires. PolicyVersion is that of all
	// rules.
	Policy, Asks, PolicyVersion string

	Code int // status that the client saw; 0 for none
	Sent int64
	Took time.Duration

	// Unmapped is a JSON object of what has no place in the schema.
	Unmapped json.RawMessage
}

// activity is an event of the class API Activity.
type activity struct {
	event
	ActionID      int             `json:"action_id"`
	Action        string          `json:"action"`
	DispositionID int             `json:"disposition_id"`
	Disposition   string          `json:"disposition"`
	Policy        *policy         `json:"policy,omitempty"`
	Actor         actor           `json:"actor"`
	API           api             `json:"api"`
	HTTPRequest   httpRequest     `json:"http_request"`
	HTTPResponse  *httpResponse   `json:"http_response,omitempty"`
	SrcEndpoint   endpoint        `json:"src_endpoint"`
	DstEndpoint   endpoint        `json:"dst_endpoint"`
	Trace         *trace          `json:"trace,omitempty"`
	Unmapped      json.RawMessage `json:"unmapped,omitempty"`
}

var apiActivity = class{enum{6003, "API Activity"}, enum{6, "Application Activity"}}

// Append appends the event as a line of JSON.
func (c *Call) Append(to []byte) []byte {
	e := c.activity()
	line, err := appendLine(to, e)
	if err != nil { // Unmapped is not valid: an event without it is better than none
		e.Unmapped = nil
		line, _ = appendLine(to, e)
	}
	return line
}

func (c *Call) activity() *activity {
	e := &activity{
		event:    newEvent(apiActivity, c.kind(), c.Arrived, c.Severity, enum(c.Status)),
		ActionID: c.Action.action.id, Action: c.Action.action.caption,
		DispositionID: c.Action.disposition.id, Disposition: c.Action.disposition.caption,
		Actor: c.actor(),
		API: api{
			Operation: orUnknown(c.Operation), Service: named{c.service()},
			Response: response{Code: c.Code, Error: c.Error},
		},
		HTTPRequest: httpRequest{UID: c.RequestID, UserAgent: c.UserAgent, BodyLength: c.Received},
		SrcEndpoint: endpointOf(c.Address), DstEndpoint: endpoint{Hostname: orUnknown(c.Host)},
		Unmapped: c.Unmapped,
	}
	e.StatusCode, e.StatusDetail = c.Reason, c.Detail
	e.Message = strings.TrimSpace(c.Method+" "+orUnknown(c.Operation)) + ": " + e.Disposition + ", " + c.Reason
	e.Metadata.UID, e.Metadata.EventCode, e.Metadata.Profiles = c.RequestID, c.Reason, []string{"security_control"}
	if slices.Contains(methods, c.Method) {
		e.HTTPRequest.Method = c.Method
	}
	if c.Path != "" {
		e.HTTPRequest.URL = &url{Hostname: c.Host, Path: c.Path}
	}
	if c.RequestID != "" {
		e.API.Request = &request{c.RequestID}
	}
	if c.Code != 0 {
		e.HTTPResponse = &httpResponse{c.Code, c.Sent, c.Took.Milliseconds()}
	}
	if c.Policy != "" {
		e.Policy = &policy{Name: c.Policy, Desc: c.Asks, Version: c.PolicyVersion, IsApplied: c.Action == Denied}
	}
	if c.TraceID != "" {
		e.Trace = &trace{c.TraceID}
		e.Metadata.Profiles = append(e.Metadata.Profiles, "trace")
	}
	return e
}

// methods are those of the schema.
var methods = []string{
	http.MethodConnect, http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodOptions,
	http.MethodPatch, http.MethodPost, http.MethodPut, http.MethodTrace,
}

// actor is whom the token belongs to, or else the client.
func (c *Call) actor() (a actor) {
	if c.TokenID != "" {
		a.Session = &session{c.TokenID}
	}
	if c.User != "" || c.UserID != 0 {
		a.User = &user{Name: c.User}
		if c.UserID != 0 {
			a.User.UID = strconv.FormatInt(c.UserID, 10)
		}
	}
	if a == (actor{}) {
		a.AppName = orUnknown(c.UserAgent)
	}
	return a
}

// service is the part of the workspace's API that an operation belongs to.
func (c *Call) service() string {
	service, _, ok := strings.Cut(c.Operation, ".")
	if !ok || service == "" {
		return "databricks"
	}
	return service
}

// Activities of the schema.
var (
	unknownActivity = enum{0, "Unknown"}
	create          = enum{1, "Create"}
	read            = enum{2, "Read"}
	update          = enum{3, "Update"}
	remove          = enum{4, "Delete"}
)

// kind tells from the operation, and else from the method, what a request does.
func (c *Call) kind() enum {
	verb := c.Operation[strings.LastIndexByte(c.Operation, '.')+1:]
	begins := func(words ...string) bool {
		return slices.ContainsFunc(words, func(word string) bool { return strings.HasPrefix(verb, word) })
	}
	switch {
	case c.Reads, c.Method == http.MethodGet, c.Method == http.MethodHead:
		return read
	case c.Method == http.MethodDelete, begins("Delete"):
		return remove
	case c.Method == http.MethodPut, c.Method == http.MethodPatch, begins("Update", "Edit", "Set", "Patch", "Replace"):
		return update
	case begins("Create"):
		return create
	case verb != "":
		return enum{otherID, verb}
	case c.Method != "":
		return enum{otherID, c.Method}
	}
	return unknownActivity
}
