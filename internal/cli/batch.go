package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
)

// maxBatchLine bounds a line of a batch, in bytes.
const maxBatchLine = 1 << 20

// batchRequest is a line of a batch.
type batchRequest struct {
	Method string   `json:"method"`
	Path   string   `json:"path"`
	Scopes []string `json:"scopes"`
}

// explainBatch answers line by line, so that it works in a pipe.
func explainBatch(j *judge.Judge, in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxBatchLine)
	number := 0
	for lines.Scan() {
		number++
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		var request batchRequest
		decoder := json.NewDecoder(strings.NewReader(lines.Text()))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&request); err != nil {
			return fmt.Errorf("line %d: reading a request: %w; write {\"method\":\"GET\",\"path\":\"/api/2.1/jobs/list\",\"scopes\":[\"jobs\"]}", number, err)
		}
		explanation, err := j.Explain(request.Method, request.Path, policy.Subject{Info: &tokens.Info{Scopes: request.Scopes}})
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		if err := printJSON(out, explanation.Answer, ""); err != nil {
			return fmt.Errorf("writing the answer to line %d: %w", number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("line %d: %w", number+1, err)
	}
	return nil
}
