package ocsf

import "net/netip"

// Objects of the schema, with the attributes that we write. A pointer is nil where an event
// has no such object.
type (
	metadata struct {
		Version   string   `json:"version"`
		UID       string   `json:"uid,omitempty"`
		EventCode string   `json:"event_code,omitempty"`
		Product   product  `json:"product"`
		Profiles  []string `json:"profiles,omitempty"`
	}
	product struct {
		Name    string `json:"name"`
		Vendor  string `json:"vendor_name"`
		Version string `json:"version"`
	}
	actor struct {
		User    *user    `json:"user,omitempty"`
		Session *session `json:"session,omitempty"`
		AppName string   `json:"app_name,omitempty"`
	}
	user struct {
		Name string `json:"name,omitempty"`
		UID  string `json:"uid,omitempty"`
	}
	session struct {
		CredentialUID string `json:"credential_uid"`
	}
	api struct {
		Operation string   `json:"operation"`
		Service   named    `json:"service"`
		Request   *request `json:"request,omitempty"`
		Response  response `json:"response"`
	}
	named struct {
		Name string `json:"name"`
	}
	request struct {
		UID string `json:"uid"`
	}
	response struct {
		Code  int    `json:"code,omitempty"`
		Error string `json:"error,omitempty"`
	}
	httpRequest struct {
		UID        string `json:"uid,omitempty"`
		Method     string `json:"http_method,omitempty"`
		URL        *url   `json:"url,omitempty"`
		UserAgent  string `json:"user_agent,omitempty"`
		BodyLength int64  `json:"body_length"`
	}
	url struct {
		Hostname string `json:"hostname,omitempty"`
		Path     string `json:"path"`
	}
	httpResponse struct {
		Code       int   `json:"code"`
		BodyLength int64 `json:"body_length"`
		Latency    int64 `json:"latency"` // milliseconds
	}
	endpoint struct {
		IP       string `json:"ip,omitempty"`
		Name     string `json:"name,omitempty"`
		Hostname string `json:"hostname,omitempty"`
	}
	policy struct {
		Name      string `json:"name"`
		Desc      string `json:"desc,omitempty"`
		Version   string `json:"version,omitempty"`
		IsApplied bool   `json:"is_applied"`
	}
	trace struct {
		UID string `json:"uid"`
	}

	findingInfo struct {
		UID       string   `json:"uid"`
		Title     string   `json:"title"`
		Desc      string   `json:"desc,omitempty"`
		Types     []string `json:"types,omitempty"`
		FirstSeen int64    `json:"first_seen_time,omitempty"`
		Modified  int64    `json:"modified_time,omitempty"`
	}
	remediation struct {
		Desc string `json:"desc"`
	}
	resource struct {
		UID   string `json:"uid"`
		Type  string `json:"type"`
		Owner *user  `json:"owner,omitempty"`
	}
)

// unknown stands for what an event must name, and which is not known.
const unknown = "unknown"

// endpointOf returns the endpoint with an address, which may be any text.
func endpointOf(address string) endpoint {
	if ip, err := netip.ParseAddr(address); err == nil && ip.Zone() == "" {
		return endpoint{IP: ip.String()}
	}
	return endpoint{Name: orUnknown(address)}
}

func orUnknown(text string) string {
	if text == "" {
		return unknown
	}
	return text
}
