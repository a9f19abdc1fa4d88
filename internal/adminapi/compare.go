package adminapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/scopegate/scopegate/internal/mapbundle"
	"github.com/scopegate/scopegate/internal/mapimpact"
	"github.com/scopegate/scopegate/internal/tokens"
)

// compare tells what a map or routes file would do to the calls that were seen.
func (s *server) compare(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if err := knownParameters(query, paramWorkspace, paramFile); err != nil {
		return err
	}
	workspace, err := WorkspaceOf(s, query.Get(paramWorkspace))
	if err != nil {
		return err
	}
	content, err := io.ReadAll(io.LimitReader(r.Body, mapbundle.MaxSize+1))
	switch {
	case err != nil:
		return errorf(http.StatusBadRequest, "reading the file: %w", err)
	case len(content) > mapbundle.MaxSize:
		return errorf(http.StatusRequestEntityTooLarge, "the file has more than %d MiB", mapbundle.MaxSize>>20)
	}
	name := query.Get(paramFile)
	if name == "" {
		name = "the file"
	}
	impact, err := workspace.Compare(r.Context(), content, name)
	unavailable, outage := errors.AsType[*tokens.UnavailableError](err)
	switch {
	case outage:
		return errorf(http.StatusServiceUnavailable, "the workspace's tokens are not known, so there is nothing to compare: %w", unavailable)
	case errors.Is(err, context.DeadlineExceeded):
		return errorf(http.StatusServiceUnavailable, "%w", err)
	case err != nil:
		return errorf(http.StatusUnprocessableEntity, "%w", err)
	}
	return writeJSON(w, http.StatusOK, impact)
}

// Compare tells what the content of a map or routes file would do to the calls that the
// gateway has seen. The name is for errors.
func (c Client) Compare(workspace, name string, content []byte) (mapimpact.Impact, error) {
	query := url.Values{}
	set(query, paramWorkspace, workspace)
	set(query, paramFile, name)
	var impact mapimpact.Impact
	return impact, c.exchange(http.MethodPost, routeCompare, query, bytes.NewReader(content), &impact)
}
