// Package console is the page for operators: what the gateway decides now, why a request was
// refused, what tokens hold and use, and how the gateway is. It only shows, but for findings
// that are acknowledged and, where that is switched on, tokens that people change who sign in to
// the workspace for it (package actions). It does not know Caddy.
//
// Every page works without a script. Scripts, which are files of our own below assets, only
// keep pages up to date.
//
// # How to add a page
//
//   - Write page_<noun>.go with a variable of type [page] and the function that loads its
//     data, and add the variable to the list in pages.go.
//   - Write templates/<noun>.html, which defines "main" and gets that data as its dot. The
//     layout is templates/layout.html; what several pages share is in templates/shared.html.
//   - Whatever a template prints passes through internal/sanitize and is escaped for HTML, see
//     render.go: neither the data nor the template need to take care of either. What an action
//     prints is one line of text; {{lines .Text}} keeps line breaks. Nothing that a template
//     prints can be HTML.
//   - Refer to files below assets by {{asset "console.css"}}, which is a path with the hash of
//     the content. The security policy forbids style attributes, inline scripts and styles, and
//     everything from elsewhere.
//   - An error of the loading function becomes an error page: with the status of an
//     [*adminapi.Error], or 500. Its text is shown, so it must say what to do.
//   - Add the page to the table of server_test.go, which asks for each of them without data,
//     with data, and with hostile data.
//
// Files: source.go (what the pages show, and the handler), server.go (methods, hosts and
// headers), pages.go (the list of pages), render.go (templates), funcs.go (what templates can
// call), assets.go, decision.go and filter.go (decisions in lists), live_stream.go (server-sent events),
// turns.go (how many answers are made at once, and sent for how long), minutes.go and period.go
// (the chart of the Overview), calls.go (the last calls of a token), reports.go (the report that the pages about tokens
// share), tokensquery.go, tokenrow.go, tokenfindings.go, timeline.go and native.go (parts of
// them), page_action.go and teller.go (changes of tokens), page_<noun>.go. Below assets, thirdparty has files of htmx and uPlot, which
// assets/refresh copies from npm.
package console
