package profiler

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"runtime/pprof"
	"strconv"
	"sync"
	"time"

	"github.com/mesos-operator/mesos-operator/internal/flags"
	"github.com/mesos-operator/mesos-operator/internal/httpserver"
)

// How long a run may last (3rdparty/libprocess/src/memory_profiler.cpp).
const (
	minRun     = time.Second
	defaultRun = 5 * time.Minute
	maxRun     = 24 * time.Hour
)

// memory takes heap profiles. Go samples allocations all the time, so a run only decides
// when the profile is taken: at its end. It holds what has been allocated since the
// process began, and what of that is in use.
type memory struct {
	now func() time.Time

	mu    sync.Mutex
	run   *run
	taken *heapProfile // the last one
}

type run struct {
	id    int64 // when it began, in seconds
	until time.Time
	timer *time.Timer
}

type heapProfile struct {
	id        int64
	raw, text []byte // for pprof, and for people
}

func (m *memory) endpoints() map[string]http.Handler {
	return map[string]http.Handler{
		"start":          http.HandlerFunc(m.start),
		"stop":           http.HandlerFunc(m.stop),
		"download/raw":   m.download("heap.pb.gz", func(p *heapProfile) []byte { return p.raw }),
		"download/text":  m.download("heap.txt", func(p *heapProfile) []byte { return p.text }),
		"download/graph": http.HandlerFunc(m.graph),
		"statistics":     http.HandlerFunc(statistics),
		"state":          http.HandlerFunc(m.state),
	}
}

func (m *memory) start(w http.ResponseWriter, r *http.Request) {
	duration := defaultRun
	if given := r.URL.Query().Get("duration"); given != "" {
		parsed, err := flags.ParseDuration(given)
		if err != nil {
			refuse(w, "Can't read the parameter 'duration': "+err.Error())
			return
		}
		duration = parsed
	}
	if duration < minRun || duration > maxRun {
		refuse(w, fmt.Sprintf("Duration '%s' must be between %s and %s",
			flags.FormatDuration(duration), flags.FormatDuration(minRun), flags.FormatDuration(maxRun)))
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	message := "A profile is being taken already."
	if m.run == nil {
		message = "A profile is being taken."
		begun := &run{id: m.now().Unix(), until: m.now().Add(duration)}
		begun.timer = time.AfterFunc(duration, func() { m.end(begun) })
		m.run = begun
	}
	path := fmt.Sprintf("/memory-profiler/download/raw?id=%d", m.run.id)
	object(w, map[string]any{
		"id":                m.run.id,
		"remaining_seconds": strconv.Itoa(int(m.run.until.Sub(m.now()).Seconds() + 0.5)),
		"message":           message + " It will be at '" + path + "' when its time is over; '/memory-profiler/stop' ends it earlier.",
	})
}

// end takes the profile of a run whose time is over, unless it was stopped.
func (m *memory) end(of *run) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.run == of {
		m.take()
	}
}

func (m *memory) take() {
	m.run.timer.Stop()
	profile := &heapProfile{id: m.run.id}
	m.run = nil
	var raw, text bytes.Buffer
	heap := pprof.Lookup("heap")
	_, _ = heap.WriteTo(&raw, 0), heap.WriteTo(&text, 1) // buffers take everything
	profile.raw, profile.text = raw.Bytes(), text.Bytes()
	m.taken = profile
}

// stop without a run shows the last profile again, as in Mesos.
func (m *memory) stop(w http.ResponseWriter, _ *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.run != nil {
		m.take()
	}
	if m.taken == nil {
		refuse(w, "No profile was taken yet")
		return
	}
	id := strconv.FormatInt(m.taken.id, 10)
	object(w, map[string]any{
		"id":                     id,
		"message":                "The profile was taken. 'go tool pprof' reads the raw one, and draws graphs of it.",
		"url_raw_profile":        "/memory-profiler/download/raw?id=" + id,
		"url_graph_profile":      "/memory-profiler/download/graph?id=" + id,
		"url_symbolized_profile": "/memory-profiler/download/text?id=" + id,
	})
}

func (m *memory) download(name string, part func(*heapProfile) []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if profile := m.asked(w, r); profile != nil {
			download(w, name, part(profile))
		}
	})
}

// graph is for those who follow the link: drawing takes programs that daemons' images lack.
func (m *memory) graph(w http.ResponseWriter, r *http.Request) {
	if m.asked(w, r) != nil {
		refuse(w, "Graphs are not drawn here: download the raw profile, and draw it with 'go tool pprof -svg'")
	}
}

// asked finds the profile that a request asks for, or refuses it.
func (m *memory) asked(w http.ResponseWriter, r *http.Request) *heapProfile {
	m.mu.Lock()
	defer m.mu.Unlock()
	given := r.URL.Query().Get("id")
	id, err := strconv.ParseInt(given, 10, 64)
	switch {
	case given != "" && err != nil:
		refuse(w, "The parameter 'id' is not a number")
	case given == "" && m.run != nil:
		refuse(w, "A profile is being taken: name an earlier one with 'id'")
	case m.taken == nil:
		refuse(w, "No profile was taken yet")
	case given != "" && id != m.taken.id:
		refuse(w, "There is no profile "+strconv.Quote(given)+", only the last one is kept")
	default:
		return m.taken
	}
	return nil
}

// statistics are those of Go's allocator.
func statistics(w http.ResponseWriter, _ *http.Request) {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	object(w, map[string]any{
		"allocator": "go", "allocated": s.HeapAlloc, "objects": s.HeapObjects, "mapped": s.Sys, "retained": s.HeapIdle - s.HeapReleased,
		"stacks": s.StackSys, "allocated_total": s.TotalAlloc, "allocations": s.Mallocs, "frees": s.Frees,
		"collections": s.NumGC, "collection_pause_ns": s.PauseTotalNs, "next_collection": s.NextGC,
	})
}

func (m *memory) state(w http.ResponseWriter, _ *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	current := map[string]any{"id": nil}
	switch {
	case m.run != nil:
		current = map[string]any{"id": m.run.id, "remaining_seconds": m.run.until.Sub(m.now()).Seconds()}
	case m.taken != nil:
		current = map[string]any{"id": m.taken.id, "remaining_seconds": 0}
	}
	object(w, map[string]any{"memory_profiler": map[string]any{
		"jemalloc_detected": false, "allocator": "go", "current_run": current,
	}})
}

func object(w http.ResponseWriter, members map[string]any) {
	body, err := json.Marshal(members)
	if err != nil { // members are numbers and text
		text(w, http.StatusInternalServerError, err.Error())
		return
	}
	httpserver.Write(w, http.StatusOK, "application/json", body)
}
