package upstream

import (
	"bytes"
	"io"
	"log"

	"github.com/scopegate/scopegate/internal/sanitize"
)

// QuietLog makes the standard logger keep to itself what a workspace sent: net/http quotes
// there what arrives on an idle connection, such as the rest of an answer that is longer
// than it says. Other lines are sanitized. It is called when a configuration starts, because Caddy then has
// redirected that logger.
func QuietLog() {
	if _, ok := log.Writer().(quietLog); !ok {
		log.SetOutput(quietLog{log.Writer()})
	}
}

type quietLog struct{ out io.Writer }

var unsolicited = []byte("Unsolicited response received on idle HTTP channel")

// Write implements io.Writer.
func (q quietLog) Write(line []byte) (int, error) {
	safe := string(unsolicited) + "\n"
	if !bytes.Contains(line, unsolicited) {
		safe = sanitize.Text(string(line), sanitize.MaxText)
	}
	if _, err := io.WriteString(q.out, safe); err != nil {
		return 0, err
	}
	return len(line), nil
}
