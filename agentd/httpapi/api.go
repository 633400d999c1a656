package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-logr/logr"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/pending"
	"github.com/mesos-operator/mesos-operator/agentd/engine"
	"github.com/mesos-operator/mesos-operator/agentd/providerconfig"
	"github.com/mesos-operator/mesos-operator/agentd/state"
	"github.com/mesos-operator/mesos-operator/internal/acl"
	"github.com/mesos-operator/mesos-operator/internal/auth"
	"github.com/mesos-operator/mesos-operator/internal/files"
	"github.com/mesos-operator/mesos-operator/internal/httpserver"
	"github.com/mesos-operator/mesos-operator/internal/logging"
	"github.com/mesos-operator/mesos-operator/internal/metrics"
	"github.com/mesos-operator/mesos-operator/internal/metrics/host"
	"github.com/mesos-operator/mesos-operator/internal/profiler"
)

// Process is the first segment of the agent's paths, and its libprocess ID.
const Process = "slave(1)"

// Realms of authentication, as in Mesos.
const (
	RealmReadonly  = "mesos-agent-readonly"
	RealmReadwrite = "mesos-agent-readwrite"
	RealmExecutor  = "mesos-agent-executor"
	RealmProvider  = "mesos-agent-resource-provider"
)

// executorHeartbeat is the pause between two HEARTBEAT events, as in Mesos.
const executorHeartbeat = 30 * time.Minute

// Config is what an API answers with. All fields are required unless they say
// otherwise.
type Config struct {
	Engine *engine.Engine
	// Authenticate finds out who makes a request to an endpoint of a realm; if
	// nobody it accepts, it answers the request and returns false. Default:
	// everybody is nobody in particular.
	Authenticate func(w http.ResponseWriter, r *http.Request, realm string) (auth.Principal, bool)
	// Authorizer says who may do and see what. Default: everybody everything.
	Authorizer *acl.Authorizer
	// Providers are those that the agent is to start. Default: none, without a
	// directory for them.
	Providers *providerconfig.Dir
	// MasterHostname names the host of a master's PID. Optional.
	MasterHostname func(pid string) string

	// Flags are shown by /flags and /state.
	Flags map[string]string
	// LogDir and ExternalLogFile are flags that /state shows by themselves as
	// well. Optional.
	LogDir, ExternalLogFile string
	// Started is when the process began.
	Started time.Time

	// Pending is what the containerizer waits for. Optional.
	Pending *pending.List

	Metrics   *metrics.Registry
	Files     *files.Files
	Verbosity *logging.Verbosity
	// Profiler is served to those of the realm for changes. Default: one that is
	// switched off.
	Profiler *profiler.Profiler
	Log      logr.Logger

	// Heartbeat is the pause between two HEARTBEAT events. Default 30 min.
	Heartbeat time.Duration
	// AttachHeartbeat is that on the output of a container. Default 30 s.
	AttachHeartbeat time.Duration
}

// API is the set of handlers.
type API struct{ cfg Config }

// New returns an API.
func New(cfg Config) (*API, error) {
	if cfg.Engine == nil || cfg.Metrics == nil || cfg.Files == nil || cfg.Verbosity == nil {
		return nil, errors.New("http API settings: a required field is not set")
	}
	if cfg.Authenticate == nil {
		cfg.Authenticate = func(http.ResponseWriter, *http.Request, string) (auth.Principal, bool) {
			return auth.Principal{}, true
		}
	}
	if cfg.AttachHeartbeat == 0 {
		cfg.AttachHeartbeat = attachHeartbeat
	}
	if cfg.Providers == nil {
		var err error
		if cfg.Providers, _, err = providerconfig.Open(providerconfig.Config{}); err != nil {
			return nil, err
		}
	}
	if cfg.Heartbeat == 0 {
		cfg.Heartbeat = executorHeartbeat
	}
	if cfg.Log.GetSink() == nil {
		cfg.Log = logr.Discard()
	}
	if cfg.Profiler == nil {
		cfg.Profiler = profiler.New(profiler.Config{})
	}
	host.Register(cfg.Metrics)
	return &API{cfg: cfg}, nil
}

// Register adds the handlers to the router whose default process is Process.
func (a *API) Register(r *httpserver.Router) {
	for endpoint, h := range map[string]http.Handler{
		"api/v1":                   a.secure(RealmReadwrite, a.serveOperator),
		"api/v1/executor":          a.secure(RealmExecutor, a.serveExecutor),
		"api/v1/resource_provider": a.secure(RealmProvider, a.serveProvider),
		"health":                   http.HandlerFunc(serveHealth),
		"flags":                    a.secureHandler(RealmReadonly, a.onlyGet(a.serveFlags)),
		"state":                    a.secure(RealmReadonly, a.serveState),
		"containers":               a.endpoint("/containers", a.serveContainers),
		"monitor/statistics":       a.endpoint("/monitor/statistics", a.serveStatistics),
		"containerizer/debug":      a.endpoint("/containerizer/debug", a.serveContainerizerDebug),
	} {
		r.Handle(Process, endpoint, h)
	}
	r.Handle("version", "", http.HandlerFunc(serveVersion))
	r.Handle("system", "stats.json", http.HandlerFunc(host.ServeStats))
	r.Handle("logging", "toggle", a.secureHandler(RealmReadwrite, a.authorized("/logging/toggle", a.cfg.Verbosity)))
	r.Handle("metrics", "", a.secureHandler(RealmReadonly, a.authorized("/metrics/snapshot", a.cfg.Metrics.Handler())))
	r.Handle("metrics", "snapshot", a.secureHandler(RealmReadonly, a.authorized("/metrics/snapshot", a.cfg.Metrics)))
	for path, h := range a.cfg.Profiler.Endpoints() {
		process, endpoint, _ := strings.Cut(path, "/")
		r.Handle(process, endpoint, a.secureHandler(RealmReadwrite, h))
	}
	for name, h := range a.cfg.Files.Endpoints() {
		if name == "debug" {
			h = a.authorized("/files/debug", h)
		}
		r.Handle("files", name, a.secureHandler(RealmReadonly, h))
	}
	r.Help(helpTexts)
}

// helpTexts say what endpoints are for.
var helpTexts = map[string]string{
	"/slave(1)/api/v1":                   "The operator API: calls in JSON or protobuf.",
	"/slave(1)/api/v1/executor":          "The executor API: executors subscribe and make calls here.",
	"/slave(1)/api/v1/resource_provider": "The API of resource providers.",
	"/slave(1)/containers":               "Containers of executors, with what they use; container_id=ID or framework_id=ID shows some.",
	"/slave(1)/containerizer/debug":      "What the containerizer waits for.",
	"/slave(1)/flags":                    "The agent's flags.",
	"/slave(1)/health":                   "200 as long as the agent answers.",
	"/slave(1)/monitor/statistics":       "What each executor uses.",
	"/slave(1)/state":                    "Everything: the agent, its frameworks, executors and tasks.",
}

// endpoint is one that get_endpoints guards.
func (a *API) endpoint(path string, h http.HandlerFunc) http.Handler {
	return a.secureHandler(RealmReadonly, a.onlyGet(a.authorized(path, h).ServeHTTP))
}

// secure authenticates before anything else is looked at, as Mesos does.
func (a *API) secure(realm string, h http.HandlerFunc) http.Handler { return a.secureHandler(realm, h) }

func (a *API) secureHandler(realm string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		principal, ok := a.cfg.Authenticate(w, r, realm)
		if !ok {
			return
		}
		if !principal.IsNobody() {
			r = r.WithContext(auth.NewContext(r.Context(), principal))
		}
		h.ServeHTTP(w, r)
	})
}

// errRecovering is told to those who come too early.
var errRecovering = errors.New("Agent has not finished recovery")

// whole returns the agent once it has recovered, with what who asks may not see.
func (a *API) whole(ctx context.Context) (*state.View, error) {
	v, err := a.cfg.Engine.View(ctx)
	if err != nil {
		return nil, err
	}
	if v.Phase == state.Recovering {
		return nil, errRecovering
	}
	return v, nil
}

// view is whole as far as who asks may see it.
func (a *API) view(ctx context.Context) (*state.View, error) {
	v, err := a.whole(ctx)
	if err != nil {
		return nil, err
	}
	return a.visible(ctx, v), nil
}

// read answers from a view.
func (a *API) read(w http.ResponseWriter, r *http.Request, answer func(*state.View) []byte) {
	v, err := a.view(r.Context())
	if err != nil {
		text(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	jsonBody(w, answer(v))
}
