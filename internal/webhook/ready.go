package webhook

import (
	"encoding/json"
	"net/http"
	"time"
)

// readiness is the body of /readyz.
type readiness struct {
	Ready       bool      `json:"ready"`
	Certificate fileState `json:"certificate"`
	Config      fileState `json:"config"`
}

// fileState says what is in use, and what is wrong with it or with the files on disk.
type fileState struct {
	Loaded  time.Time  `json:"loaded"`
	Expires *time.Time `json:"expires,omitempty"`
	Error   string     `json:"error,omitempty"`
}

// probes answers /livez and /readyz. A wrong file does not make the webhook unready: it
// goes on with the last good one, and without it no Pod would start. An expired
// certificate does: the API server refuses it.
func (s *Server) probes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("ok\n")) // fails only if the prober has gone
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		state := s.ready(time.Now())
		w.Header().Set("Content-Type", "application/json")
		if !state.Ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(state) // as above
	})
	return mux
}

func (s *Server) ready(now time.Time) readiness {
	var r readiness
	var err error
	if r.Config.Loaded, err = s.config.state(); err != nil {
		r.Config.Error = err.Error()
	}
	if r.Certificate.Loaded, err = s.certificate.state(); err != nil {
		r.Certificate.Error = err.Error()
	}
	leaf := s.certificate.get().Leaf
	r.Certificate.Expires = &leaf.NotAfter
	expired := expiry(leaf, now)
	if expired != nil {
		r.Certificate.Error = expired.Error()
	}
	r.Ready = expired == nil
	return r
}
