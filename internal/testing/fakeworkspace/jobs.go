package fakeworkspace

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// maxJobs is the largest number of jobs.
const maxJobs = 1000

type job struct {
	ID      int64           `json:"job_id"`
	Created int64           `json:"created_time"`
	Creator string          `json:"creator_user_name"`
	RunAs   string          `json:"run_as_user_name,omitempty"`
	Config  json.RawMessage `json:"settings"`
}

type jobRun struct {
	ID, JobID int64
	Creator   string
	Started   time.Time
}

// jobStore holds jobs in order of id, and the most recent runs.
type jobStore struct {
	mu   sync.Mutex
	jobs []job
	runs []jobRun
}

const (
	firstJobID = 620000000000001
	firstRunID = 930000000000001
)

func newJobStore() *jobStore {
	s := &jobStore{}
	for _, name := range []string{"nightly-etl", "hourly-refresh"} {
		settings, _ := json.Marshal(map[string]any{"name": name, "max_concurrent_runs": 1, "format": "MULTI_TASK"})
		s.jobs = append(s.jobs, job{
			ID: firstJobID + int64(len(s.jobs)), Created: 1754529154191, Creator: adminUser, RunAs: adminUser, Config: settings,
		})
	}
	return s
}

func (w *Workspace) registerJobs() {
	for _, v := range []string{"2.0", "2.1", "2.2"} {
		base := "/api/" + v + "/jobs/"
		w.on(w.listJobs, "GET "+base+"list")
		w.on(w.getJob, "GET "+base+"get")
		w.on(w.createJob, "POST "+base+"create")
		w.on(w.runJob, "POST "+base+"run-now")
		w.on(w.getRun, "GET "+base+"runs/get")
		w.on(w.listRuns, "GET "+base+"runs/list")
	}
}

func (w *Workspace) listJobs(rw http.ResponseWriter, r *http.Request) {
	s := w.jobs
	s.mu.Lock()
	defer s.mu.Unlock()
	from, to, next := page(r, len(s.jobs), 20, "limit")
	body := map[string]any{"jobs": s.jobs[from:to], "has_more": next != ""}
	if next != "" {
		body["next_page_token"] = next
	}
	ok(rw, body)
}

func (w *Workspace) getJob(rw http.ResponseWriter, r *http.Request) {
	s := w.jobs
	s.mu.Lock()
	defer s.mu.Unlock()
	i := intQuery(r, "job_id", 0) - firstJobID
	if i < 0 || i >= int64(len(s.jobs)) {
		fail(rw, r, serviceError(http.StatusBadRequest, "INVALID_PARAMETER_VALUE",
			"Job "+clip(r.URL.Query().Get("job_id"))+" does not exist."))
		return
	}
	ok(rw, s.jobs[i])
}

func (w *Workspace) createJob(rw http.ResponseWriter, r *http.Request) {
	var settings map[string]json.RawMessage
	if e := readJSON(rw, r, &settings); e != nil {
		fail(rw, r, e)
		return
	}
	if _, named := settings["name"]; !named {
		if settings == nil {
			settings = map[string]json.RawMessage{}
		}
		settings["name"] = json.RawMessage(`"Untitled"`)
	}
	config, _ := json.Marshal(settings) // it was just decoded from JSON
	c := callOf(r).caller

	s := w.jobs
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.jobs) >= maxJobs {
		fail(rw, r, serviceError(http.StatusBadRequest, "QUOTA_EXCEEDED", "The quota for the number of jobs has been reached."))
		return
	}
	j := job{
		ID: firstJobID + int64(len(s.jobs)), Created: w.now().UnixMilli(), Creator: c.UserName, RunAs: c.UserName, Config: config,
	}
	s.jobs = append(s.jobs, j)
	ok(rw, map[string]any{"job_id": j.ID})
}

func (w *Workspace) runJob(rw http.ResponseWriter, r *http.Request) {
	var req struct {
		JobID int64 `json:"job_id"`
	}
	if e := readJSON(rw, r, &req); e != nil {
		fail(rw, r, e)
		return
	}
	s := w.jobs
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := req.JobID - firstJobID; i < 0 || i >= int64(len(s.jobs)) {
		fail(rw, r, badRequest("Job does not exist."))
		return
	}
	run := jobRun{JobID: req.JobID, Creator: callOf(r).caller.UserName, Started: w.now(), ID: firstRunID}
	if n := len(s.runs); n > 0 {
		run.ID = s.runs[n-1].ID + 1
	}
	if s.runs = append(s.runs, run); len(s.runs) > maxJobs {
		s.runs = s.runs[1:]
	}
	ok(rw, map[string]any{"run_id": run.ID, "number_in_job": run.ID})
}

func (w *Workspace) getRun(rw http.ResponseWriter, r *http.Request) {
	s := w.jobs
	s.mu.Lock()
	defer s.mu.Unlock()
	id := intQuery(r, "run_id", 0)
	for _, run := range s.runs {
		if run.ID == id {
			ok(rw, run.wire())
			return
		}
	}
	fail(rw, r, badRequest("Run "+clip(r.URL.Query().Get("run_id"))+" does not exist."))
}

func (w *Workspace) listRuns(rw http.ResponseWriter, r *http.Request) {
	s := w.jobs
	s.mu.Lock()
	defer s.mu.Unlock()
	jobID := intQuery(r, "job_id", 0)
	runs := []any{}
	for _, run := range s.runs {
		if jobID == 0 || run.JobID == jobID {
			runs = append(runs, run.wire())
		}
	}
	from, to, next := page(r, len(runs), 20, "limit")
	body := map[string]any{"runs": runs[from:to], "has_more": next != ""}
	if next != "" {
		body["next_page_token"] = next
	}
	ok(rw, body)
}

// wire returns a finished run: runs take no time here.
func (run jobRun) wire() map[string]any {
	return map[string]any{
		"run_id": run.ID, "job_id": run.JobID, "number_in_job": run.ID, "creator_user_name": run.Creator,
		"start_time": run.Started.UnixMilli(), "end_time": run.Started.UnixMilli(), "run_type": "JOB_RUN",
		"state": map[string]any{"life_cycle_state": "TERMINATED", "result_state": "SUCCESS", "state_message": ""},
		"status": map[string]any{
			"state": "TERMINATED", "termination_details": map[string]any{"code": "SUCCESS", "type": "SUCCESS", "message": ""},
		},
	}
}
