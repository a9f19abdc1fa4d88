package attacks

import (
	"slices"
	"strconv"
	"strings"
)

// Pipelines are several requests on a connection, each with its own token.
func Pipelines(fill *strings.Replacer) []Case {
	const (
		file     = "/api/2.0/fs/files/a"
		clusters = "/api/2.1/clusters/list"
	)
	get := func(target, token string) string {
		return strings.Replace(Request("GET", target, token), "Connection: close\r\n", "", 1)
	}
	var all []Case
	for _, c := range []struct {
		name  string
		parts []string
		want  []string
	}{
		{"two tokens", []string{get(file, "files"), get("/api/2.0/sql/warehouses", "sql")}, []string{Passes, Passes}},
		{"two tokens, crossed", []string{get(file, "sql"), get("/api/2.0/sql/warehouses", "files")}, []string{Scope, Scope}},
		{"the strong one first", []string{get(clusters, "all"), get(clusters, "files")}, []string{Passes, Scope}},
		{"the strong one last", []string{get(clusters, "files"), get(clusters, "all")}, []string{Scope, Passes}},
		{"alternating", []string{get(file, "files"), get(clusters, "files"), get(file, "files"), get(file, "sql"), get(clusters, "all")}, []string{Passes, Scope, Passes, Scope, Passes}},
		{"no token after a strong one", []string{get(clusters, "all"), "GET " + clusters + " HTTP/1.1\r\nHost: {host}\r\n\r\n"}, []string{Passes, Missing}},
		{"public, then not", []string{get("/oidc/x", "files"), get(clusters, "files")}, []string{Passes, Scope}},
		{"refused, then in scope", []string{get("/api/2.0/fs/files/%00", "files"), get(file, "files")}, []string{Malformed, Passes}},
		{"many", slices.Repeat([]string{get(clusters, "files")}, 20), slices.Repeat([]string{Scope}, 20)},
		{"body, then another", []string{"PUT " + file + " HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {files}\r\nContent-Length: 5\r\n\r\nhello", get(clusters, "files")}, []string{Passes, Scope}},
		{"refused body, then another", []string{"PUT " + file + " HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {sql}\r\nContent-Length: 5\r\n\r\nhello", get(clusters, "all")}, []string{Scope, Passes}},
		{"a request as a body", []string{"PUT " + file + " HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {files}\r\nContent-Length: {length}\r\n\r\n" + get(clusters, "files"), get(file, "files")}, []string{Passes, Passes}},
		{"a refused request as a body", []string{"PUT " + file + " HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {sql}\r\nContent-Length: {length}\r\n\r\n" + get(clusters, "all"), get(file, "files")}, []string{Scope, Passes}},
		{"waits, and is refused", []string{"PUT " + file + " HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {sql}\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n" + get(clusters, "all")}, []string{Scope}},
	} {
		all = append(all, Case{c.name, measured(fill, strings.Join(c.parts, "")), c.want})
	}
	return all
}

// measured replaces {length} with the length of everything after the head.
func measured(fill *strings.Replacer, text string) string {
	head, body, found := strings.Cut(text, "{length}\r\n\r\n")
	if !found {
		return text
	}
	inner, rest, _ := strings.Cut(body, "\r\n\r\n")
	inner = fill.Replace(inner + "\r\n\r\n")
	return head + strconv.Itoa(len(inner)) + "\r\n\r\n" + inner + rest
}
