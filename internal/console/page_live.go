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
	// Here is this page with the filter.
	Here string
}

func (s *server) live(r *http.Request) (any, error) {
	f := filterOf(r.URL.Query())
	data := liveData{Filter: f, Outcomes: outcomes, Rows: liveRows, Here: "/live"}
	if query := f.query(); query != "" {
		data.Here += "?" + query
	}
	data.Decisions = decisionsOf(s.Recent().Latest(liveRows, s.about(f)))
	return data, nil
}
