package console

import (
	"context"
	"sync"
	"time"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/usage"
)

// reportAge is how long a report is shown again: joining the usage of many tokens takes a
// while, and whoever turns pages or sorts wants them to fit together.
const reportAge = 10 * time.Second

// reports keeps the last report. Whoever asks while one is made waits for it.
type reports struct {
	mu   sync.Mutex
	last *usage.Report
}

// workspace returns the workspace that the pages are about.
func (s *server) workspace() (adminapi.Workspace, error) {
	return adminapi.WorkspaceOf(s, s.options.Workspace)
}

// report returns what is known of all tokens, and says in a note why there are none. The
// caller must not change it.
func (s *server) report(ctx context.Context) (*usage.Report, error) {
	now := s.Now()
	workspace, err := s.workspace()
	if err != nil {
		empty := usage.NewReport(usage.State{}, nil, now)
		empty.Notes = []string{err.Error()}
		return &empty, nil
	}
	s.reports.mu.Lock()
	defer s.reports.mu.Unlock()
	if last := s.reports.last; last != nil && last.At.After(now.Add(-reportAge)) && !last.At.After(now) {
		return last, nil
	}
	report, _ := workspace.Report(ctx, now)
	if err := ctx.Err(); err != nil {
		return nil, err // it may lack what its caller did not wait for
	}
	s.reports.last = &report
	return &report, nil
}
