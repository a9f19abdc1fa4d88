package console

import "net/http"

// page is one page.
type page struct {
	// pattern is its path, as [http.ServeMux] takes it without a method. A page whose pattern
	// has a wildcard is not in the navigation.
	pattern string
	// template is the name of its file below templates, without .html.
	template string
	// label is its name in the navigation, and title what the browser's tab shows. A page
	// without a label is not in the navigation.
	label, title string
	// scripts are files below assets that the page needs.
	scripts []string
	// all means that load looks at all tokens, or at all that was recorded of them, so that few
	// may do so at once.
	all bool
	// load returns what the template shows.
	load func(s *server, r *http.Request) (any, error)
}

// pages are all pages, in the order of the navigation.
var pages = []page{
	overviewPage,
	livePage,
	whyPage,
	findingsPage,
	tokensPage,
	tokenPage,
	breakPage,
	mapPage,
}
