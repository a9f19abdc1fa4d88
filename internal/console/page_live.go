package console

import "net/http"

// livePage shows decisions as they happen.
var livePage = page{pattern: "/live", template: "live", label: "Live", title: "Live", scripts: []string{"live.js"}, load: (*server).live}

// liveRows is how many decisions the page shows.
const liveRows = 200

// liveData is what the page Live shows.
type liveData struct {
	Filter    filter
	Outcomes  []outcome
	Decisions []decision
	Rows      int
	Filtered  bool
	// Here is this page, and Stream what follows it, with the filter.
	Here, Stream string
}

func (s *server) live(r *http.Request) (any, error) {
	f := filterOf(r.URL.Query())
	data := liveData{Filter: f, Outcomes: outcomes, Rows: liveRows, Here: "/live", Stream: streamPath}
	if query := f.query(); query != "" {
		data.Filtered = true
		data.Here += "?" + query
		data.Stream += "?" + query
	}
	data.Decisions = decisionsOf(s.Recent().Latest(liveRows, s.about(f)), s.Now())
	return data, nil
}
