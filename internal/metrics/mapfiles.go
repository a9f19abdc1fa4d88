package metrics

// MapFiles is what the metrics know of the map files of one workspace. Close it.
type MapFiles struct {
	*Metrics
	refused bool // guarded by Metrics.mu, and so is closed
	closed  bool
}

// NewMapFiles starts to watch the map files of a workspace.
func (m *Metrics) NewMapFiles() *MapFiles { return &MapFiles{Metrics: m} }

// Applied counts a change that is in force, and Refused one that cannot be used.
func (f *MapFiles) Applied() {
	f.mapChanges.add("applied", 1)
	f.set(false)
}

// Refused counts a change of files that cannot be used.
func (f *MapFiles) Refused() {
	f.mapChanges.add("refused", 1)
	f.set(true)
}

// Recovered notes that the files are again those in force.
func (f *MapFiles) Recovered() { f.set(false) }

// Close forgets the files.
func (f *MapFiles) Close() {
	f.set(false)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
}

func (f *MapFiles) set(refused bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || refused == f.refused {
		return
	}
	f.refused = refused
	if refused {
		f.mapRefused.Inc()
	} else {
		f.mapRefused.Dec()
	}
}
