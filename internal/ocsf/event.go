package ocsf

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/scopegate/scopegate/internal/buildinfo"
)

// Version is that of the schema.
const Version = "1.8.0"

// enum is a value with the caption that the schema has for it.
type enum struct {
	id      int
	caption string
}

// Severity says how much an event matters.
type Severity enum

// Severities.
var (
	Informational = Severity{1, "Informational"}
	Low           = Severity{2, "Low"}
	Medium        = Severity{3, "Medium"}
	High          = Severity{4, "High"}
)

// event is what events of all classes have.
type event struct {
	ClassUID     int      `json:"class_uid"`
	ClassName    string   `json:"class_name"`
	CategoryUID  int      `json:"category_uid"`
	CategoryName string   `json:"category_name"`
	ActivityID   int      `json:"activity_id"`
	ActivityName string   `json:"activity_name"`
	TypeUID      int      `json:"type_uid"`
	TypeName     string   `json:"type_name"`
	Time         int64    `json:"time"` // milliseconds since 1970
	SeverityID   int      `json:"severity_id"`
	Severity     string   `json:"severity"`
	StatusID     int      `json:"status_id"`
	Status       string   `json:"status"`
	StatusCode   string   `json:"status_code,omitempty"`
	StatusDetail string   `json:"status_detail,omitempty"`
	Message      string   `json:"message"`
	Metadata     metadata `json:"metadata"`
}

// class is a class of events in its category.
type class struct{ class, category enum }

// newEvent returns an event without message and profiles.
func newEvent(c class, activity enum, at time.Time, s Severity, status enum) event {
	return event{
		ClassUID: c.class.id, ClassName: c.class.caption, CategoryUID: c.category.id, CategoryName: c.category.caption,
		ActivityID: activity.id, ActivityName: activity.caption,
		TypeUID: c.class.id*100 + activity.id, TypeName: c.class.caption + ": " + typeCaption(activity),
		Time: at.UnixMilli(), SeverityID: s.id, Severity: s.caption, StatusID: status.id, Status: status.caption,
		Metadata: metadata{Version: Version, Product: product{Name: productName, Vendor: productName, Version: buildinfo.Version()}},
	}
}

// otherID is the value for what the schema has none for, with a caption of our own.
const otherID = 99

// typeCaption is how the name of a type calls an activity.
func typeCaption(activity enum) string {
	if activity.id == otherID {
		return "Other"
	}
	return activity.caption
}

// productName is ours, and our vendor's.
const productName = "scopegate"

// appendLine appends an event as a line of JSON.
func appendLine(to []byte, event any) ([]byte, error) {
	line := bytes.NewBuffer(to)
	encoder := json.NewEncoder(line)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(event)
	return line.Bytes(), err
}
