package fakeworkspace

import "net/http"

// Clusters of every workspace.
const (
	// RunningCluster answers the driver proxy and Spark Connect.
	RunningCluster = "0821-120000-running0"
	// TerminatedCluster answers the driver proxy with INVALID_STATE.
	TerminatedCluster = "0821-120000-stopped0"
)

type cluster struct {
	ID           string `json:"cluster_id"`
	Name         string `json:"cluster_name"`
	State        string `json:"state"`
	StateMessage string `json:"state_message,omitempty"`
	SparkVersion string `json:"spark_version"`
	NodeType     string `json:"node_type_id"`
	Workers      int    `json:"num_workers"`
	Creator      string `json:"creator_user_name"`
	Source       string `json:"cluster_source"`
}

var clusters = []cluster{
	{
		ID: RunningCluster, Name: "shared", State: "RUNNING", SparkVersion: "16.4.x-scala2.12", NodeType: "i3.xlarge",
		Workers: 2, Creator: adminUser, Source: "UI",
	},
	{
		ID: TerminatedCluster, Name: "adhoc", State: "TERMINATED", StateMessage: "Inactive cluster terminated.",
		SparkVersion: "16.4.x-scala2.12", NodeType: "i3.xlarge", Workers: 1, Creator: adminUser, Source: "UI",
	},
}

func (w *Workspace) registerClusters() {
	for _, v := range []string{"2.0", "2.1"} {
		base := "/api/" + v + "/clusters/"
		w.on(func(rw http.ResponseWriter, _ *http.Request) { ok(rw, map[string]any{"clusters": clusters}) },
			"GET "+base+"list")
		w.on(getCluster, "GET "+base+"get")
		w.on(func(rw http.ResponseWriter, _ *http.Request) {
			ok(rw, map[string]any{"versions": []any{map[string]string{"key": "16.4.x-scala2.12", "name": "16.4 LTS"}}})
		}, "GET "+base+"spark-versions")
	}
}

func findCluster(id string) (cluster, bool) {
	for _, c := range clusters {
		if c.ID == id {
			return c, true
		}
	}
	return cluster{}, false
}

func getCluster(rw http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("cluster_id")
	c, found := findCluster(id)
	if !found {
		fail(rw, r, badRequest("Cluster "+clip(id)+" does not exist"))
		return
	}
	ok(rw, c)
}
