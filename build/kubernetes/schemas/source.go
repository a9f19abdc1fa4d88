package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
)

// The release of Kubernetes whose API manifests are checked against. The module is not
// in go.mod: it would bring a hundred requirements for the sake of one JSON file.
const (
	module  = "k8s.io/kubernetes"
	version = "v1.35.0"
	sum     = "h1:PUOojD8c8E3csMP5NX+nLLne6SGqZjrYCscptyBfWMY="
)

// download returns the path of the release's OpenAPI document in Go's module cache.
func download(ctx context.Context) (string, error) {
	command := exec.CommandContext(ctx, "go", "mod", "download", "-json", module+"@"+version)
	answer, err := command.Output()
	var found struct{ Dir, Sum, Error string }
	if decodeErr := json.Unmarshal(answer, &found); decodeErr == nil && found.Error != "" {
		return "", fmt.Errorf("downloading %s: %s", module, found.Error)
	} else if err = errors.Join(err, decodeErr); err != nil {
		return "", fmt.Errorf("%v: %w", command.Args, err)
	}
	if found.Sum != sum {
		return "", fmt.Errorf("%s %s has the hash %s, not %s; if you changed the version, change the hash with it", module, version, found.Sum, sum)
	}
	return filepath.Join(found.Dir, "api", "openapi-spec", "swagger.json"), nil
}
