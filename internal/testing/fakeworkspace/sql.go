package fakeworkspace

import (
	"context"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/databricks/databricks-sdk-go/service/sql"
)

// WarehouseID is the SQL warehouse of every workspace.
const WarehouseID = "475b94ddc7cd5211"

// maxStatements is how many statements are kept.
const maxStatements = 1000

// statement is one SQL statement. It ends at a wall-clock time; nothing runs in the background.
type statement struct {
	id       string
	text     string
	user     string
	until    time.Time
	canceled bool
}

type statementStore struct {
	mu    sync.Mutex
	byID  map[string]*statement
	order []string
}

func newStatementStore() *statementStore { return &statementStore{byID: make(map[string]*statement)} }

func (w *Workspace) registerSQL() {
	warehouse := map[string]any{
		"id": WarehouseID, "name": "Starter Warehouse", "cluster_size": "2X-Small", "state": "RUNNING",
		"warehouse_type": "PRO", "enable_serverless_compute": true, "auto_stop_mins": 10, "num_clusters": 1,
		"max_num_clusters": 1, "min_num_clusters": 1, "creator_name": adminUser,
	}
	w.on(func(rw http.ResponseWriter, _ *http.Request) {
		ok(rw, map[string]any{"warehouses": []any{warehouse}})
	}, "GET /api/2.0/sql/warehouses")
	w.on(func(rw http.ResponseWriter, r *http.Request) {
		if r.PathValue("id") != WarehouseID {
			fail(rw, r, noSuchWarehouse(r.PathValue("id")))
			return
		}
		ok(rw, warehouse)
	}, "GET /api/2.0/sql/warehouses/{id}")
	w.on(w.executeStatement, "POST /api/2.0/sql/statements", "POST /api/2.0/sql/statements/{$}")
	w.on(w.getStatement, "GET /api/2.0/sql/statements/{id}")
	w.on(w.cancelStatement, "POST /api/2.0/sql/statements/{id}/cancel")
	w.on(w.getChunk, "GET /api/2.0/sql/statements/{id}/result/chunks/{chunk}")
}

func noSuchWarehouse(id string) *refusal {
	return doesNotExist("SQL warehouse " + clip(id) + " does not exist.")
}

// sleeping matches a statement that takes time, such as SELECT sleep(0.5).
var sleeping = regexp.MustCompile(`(?i)\bsleep\((\d{1,3}(?:\.\d{1,3})?)\)`)

func (w *Workspace) executeStatement(rw http.ResponseWriter, r *http.Request) {
	var req sql.ExecuteStatementRequest
	if e := readJSON(rw, r, &req); e != nil {
		fail(rw, r, e)
		return
	}
	if req.Statement == "" {
		fail(rw, r, badRequest("statement must not be empty."))
		return
	}
	if req.WarehouseId != WarehouseID {
		fail(rw, r, noSuchWarehouse(req.WarehouseId))
		return
	}
	wait, valid := waitTimeout(req.WaitTimeout)
	if !valid {
		fail(rw, r, badRequest("wait_timeout must be 0s or between 5s and 50s."))
		return
	}
	st := &statement{id: newUUID(), text: req.Statement, user: callOf(r).caller.UserName, until: time.Now()}
	if m := sleeping.FindStringSubmatch(req.Statement); m != nil {
		seconds, _ := strconv.ParseFloat(m[1], 64)
		st.until = st.until.Add(time.Duration(seconds * float64(time.Second)))
	}
	w.statements.put(st)
	waitUntil(r.Context(), st.until, wait)
	if time.Now().Before(st.until) && req.OnWaitTimeout == sql.ExecuteStatementRequestOnWaitTimeoutCancel {
		w.statements.cancel(st.id)
	}
	w.writeStatement(rw, r, st.id, wait == 0)
}

// waitTimeout parses "<n>s"; the default is ten seconds.
func waitTimeout(s string) (time.Duration, bool) {
	if s == "" {
		return 10 * time.Second, true
	}
	n, err := strconv.Atoi(strings.TrimSuffix(s, "s"))
	if err != nil || !strings.HasSuffix(s, "s") || (n != 0 && (n < 5 || n > 50)) {
		return 0, false
	}
	return time.Duration(n) * time.Second, true
}

// waitUntil implements long polling: it returns when the statement ends, the wait is over or the client
// disconnects.
func waitUntil(ctx context.Context, until time.Time, wait time.Duration) {
	left := min(time.Until(until), wait)
	if left <= 0 {
		return
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (s *statementStore) put(st *statement) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID[st.id] = st
	if s.order = append(s.order, st.id); len(s.order) > maxStatements {
		delete(s.byID, s.order[0])
		s.order = s.order[1:]
	}
}

func (s *statementStore) get(id string) (statement, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, found := s.byID[id]
	if !found {
		return statement{}, false
	}
	return *st, true
}

// cancel stops a running statement.
func (s *statementStore) cancel(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.byID[id]; st != nil && time.Now().Before(st.until) {
		st.canceled = true
	}
}

func (w *Workspace) getStatement(rw http.ResponseWriter, r *http.Request) {
	w.writeStatement(rw, r, r.PathValue("id"), false)
}

func (w *Workspace) cancelStatement(rw http.ResponseWriter, r *http.Request) {
	w.statements.cancel(r.PathValue("id"))
	ok(rw, struct{}{})
}

func (w *Workspace) writeStatement(rw http.ResponseWriter, r *http.Request, id string, async bool) {
	st, found := w.statements.get(id)
	if !found {
		fail(rw, r, doesNotExist("The statement "+clip(id)+" was not found."))
		return
	}
	body := sql.StatementResponse{StatementId: st.id, Status: &sql.StatementStatus{State: sql.StatementStateSucceeded}}
	switch {
	case st.canceled:
		body.Status.State = sql.StatementStateCanceled
	case async:
		body.Status.State = sql.StatementStatePending
	case time.Now().Before(st.until):
		body.Status.State = sql.StatementStateRunning
	default:
		body.Manifest, body.Result = st.manifest(), st.result()
	}
	ok(rw, body)
}

func (w *Workspace) getChunk(rw http.ResponseWriter, r *http.Request) {
	st, found := w.statements.get(r.PathValue("id"))
	if !found || r.PathValue("chunk") != "0" || st.canceled || time.Now().Before(st.until) {
		fail(rw, r, doesNotExist("The result chunk was not found."))
		return
	}
	ok(rw, st.result())
}

func (st statement) manifest() *sql.ResultManifest {
	column := sql.ColumnInfo{Name: "result", TypeName: sql.ColumnInfoTypeNameString, TypeText: "STRING"}
	return &sql.ResultManifest{
		Format:        sql.FormatJsonArray,
		Schema:        &sql.ResultSchema{ColumnCount: 1, Columns: []sql.ColumnInfo{column}},
		TotalRowCount: 1, TotalChunkCount: 1,
		Chunks: []sql.BaseChunkInfo{{RowCount: 1}},
	}
}

// result returns one row: the user if the statement asks for it, otherwise 1.
func (st statement) result() *sql.ResultData {
	value := "1"
	if strings.Contains(strings.ToLower(st.text), "current_user") {
		value = st.user
	}
	return &sql.ResultData{RowCount: 1, DataArray: [][]string{{value}}}
}
