package profiler

import (
	"bytes"
	"net/http"
	"runtime/pprof"
	"strconv"
	"sync"
	"time"

	"github.com/mesos-operator/mesos-operator/internal/httpserver"
)

// EnableVariable switches the CPU profiler on when it is "1".
const EnableVariable = "LIBPROCESS_ENABLE_PROFILER"

// profileFile is what a CPU profile is called when it is downloaded, as in Mesos.
const profileFile = "perftools.out"

// Config says what is switched on.
type Config struct {
	// CPU lets /profiler/start begin. Without it that is refused.
	CPU bool
	// Memory adds /memory-profiler/… (--memory_profiling). Without it there is no such
	// process, and its paths are not found.
	Memory bool
	// Now tells the time. Default: time.Now.
	Now func() time.Time
}

// Profiler holds the profiles of a process.
type Profiler struct {
	cfg    Config
	memory memory

	mu  sync.Mutex
	cpu *bytes.Buffer // what the running profile is written to; nil: none runs
}

// New returns a profiler that profiles nothing yet.
func New(cfg Config) *Profiler {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	p := &Profiler{cfg: cfg}
	p.memory.now = cfg.Now
	return p
}

// Endpoints are the handlers by path, such as "profiler/start".
func (p *Profiler) Endpoints() map[string]http.Handler {
	all := map[string]http.Handler{
		"profiler/start": http.HandlerFunc(p.start),
		"profiler/stop":  http.HandlerFunc(p.stop),
	}
	if p.cfg.Memory {
		for name, h := range p.memory.endpoints() {
			all["memory-profiler/"+name] = h
		}
	}
	return all
}

func (p *Profiler) start(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !p.cfg.CPU:
		refuse(w, "Profiling is switched off: start the process with "+EnableVariable+"=1 in its environment")
		return
	case p.cpu != nil:
		refuse(w, "A profile is being taken already")
		return
	}
	out := &bytes.Buffer{}
	if err := pprof.StartCPUProfile(out); err != nil {
		text(w, http.StatusInternalServerError, "Can't start the profiler: "+err.Error())
		return
	}
	p.cpu = out
	text(w, http.StatusOK, "Profiler started: get the profile from /profiler/stop")
}

func (p *Profiler) stop(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !p.cfg.CPU:
		refuse(w, "Profiling is switched off: start the process with "+EnableVariable+"=1 in its environment")
		return
	case p.cpu == nil:
		refuse(w, "No profile is being taken")
		return
	}
	pprof.StopCPUProfile()
	out := p.cpu
	p.cpu = nil
	download(w, profileFile, out.Bytes())
}

// download sends a file. Profiles are compressed already, but not said to be.
func download(w http.ResponseWriter, name string, data []byte) {
	w.Header().Set("Content-Disposition", "attachment; filename="+name)
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(data) // an error means that the client is gone
}

func refuse(w http.ResponseWriter, why string) { text(w, http.StatusBadRequest, why) }

func text(w http.ResponseWriter, status int, body string) {
	httpserver.Write(w, status, "text/plain; charset=utf-8", []byte(body+".\n"))
}
