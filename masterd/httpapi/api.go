package httpapi

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-logr/logr"

	registrypb "github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/acl"
	"github.com/mesos-operator/mesos-operator/internal/files"
	"github.com/mesos-operator/mesos-operator/internal/httpserver"
	"github.com/mesos-operator/mesos-operator/internal/lane"
	"github.com/mesos-operator/mesos-operator/internal/logging"
	"github.com/mesos-operator/mesos-operator/internal/metrics"
	"github.com/mesos-operator/mesos-operator/internal/metrics/host"
	"github.com/mesos-operator/mesos-operator/internal/profiler"
	"github.com/mesos-operator/mesos-operator/masterd/engine"
)

// Process is the first segment of the master's paths.
const Process = "master"

// Config is what an API answers with. All fields are required unless they say
// otherwise.
type Config struct {
	// Self is this master; its ID is another one each term and is not looked
	// at.
	Self *mesos.MasterInfo
	// Leader returns the master that leads, nil if none is known.
	Leader func() *mesos.MasterInfo
	// Engine returns the engine of the current term, nil while this master
	// does not lead.
	Engine func() *engine.Engine
	// Registry returns the registry as this master knows it, for
	// /registrar(1)/registry.
	Registry func() *registrypb.Registry
	// Authenticate finds out who makes a request to an endpoint of a realm;
	// if nobody it accepts, it answers the request and returns false. Default:
	// everybody is nobody in particular.
	Authenticate func(w http.ResponseWriter, r *http.Request, realm string) (principal string, ok bool)

	// Authorizer says who may do and see what. Default: everybody everything.
	Authorizer *acl.Authorizer

	// Flags are shown by /flags and /state.
	Flags map[string]string
	// Cluster, LogDir and ExternalLogFile are flags that /state shows by
	// themselves as well. Optional.
	Cluster, LogDir, ExternalLogFile string
	// PerFrameworkMetrics says that each framework has metrics of its own.
	PerFrameworkMetrics bool
	// Started is when the process began.
	Started time.Time

	// Lane is where long answers are put together. Default: no bound.
	Lane *lane.Lane

	Metrics   *metrics.Registry
	Files     *files.Files
	Verbosity *logging.Verbosity
	// Profiler is served to those of the realm for changes. Default: one that is
	// switched off.
	Profiler *profiler.Profiler
	Log      logr.Logger
}

// Realms of authentication, as in Mesos.
const (
	RealmReadonly  = "mesos-master-readonly"
	RealmReadwrite = "mesos-master-readwrite"
	RealmScheduler = "mesos-master-scheduler"
)

// API is the set of handlers.
type API struct {
	cfg   Config
	flags []byte // as JSON
	// workshop is where long answers are put together; answers are those of the
	// operator API.
	workshop *workshop
	answers  map[answerKind]*shared
	// snapshots are what streams of events begin with, by content type.
	snapshots map[string]*shared
	// asked are the forms that somebody asked for.
	asked wanted
}

// New returns an API.
func New(cfg Config) (*API, error) {
	if cfg.Self == nil || cfg.Leader == nil || cfg.Engine == nil || cfg.Registry == nil || cfg.Metrics == nil ||
		cfg.Files == nil || cfg.Verbosity == nil {
		return nil, errors.New("http API settings: a required field is not set")
	}
	if cfg.Authenticate == nil {
		cfg.Authenticate = func(http.ResponseWriter, *http.Request, string) (string, bool) { return "", true }
	}
	if cfg.Profiler == nil {
		cfg.Profiler = profiler.New(profiler.Config{})
	}
	a := &API{cfg: cfg, flags: appendFlags(nil, cfg.Flags), workshop: newWorkshop(cfg.Lane)}
	a.answers, a.snapshots = sharedAnswers(a.workshop), sharedSnapshots(a.workshop)
	host.Register(cfg.Metrics)
	cfg.Metrics.Pull(a.pullMetrics)
	return a, nil
}

// Register adds the handlers to the router whose default process is Process.
func (a *API) Register(r *httpserver.Router) {
	for endpoint, h := range map[string]http.Handler{
		"api/v1/scheduler": a.secure(RealmScheduler, a.serveScheduler),
		"api/v1":           a.secure(RealmReadwrite, a.serveOperator),

		"health":   http.HandlerFunc(serveHealth),
		"version":  http.HandlerFunc(serveVersion),
		"redirect": http.HandlerFunc(a.serveRedirect),

		"flags":         a.secure(RealmReadonly, a.serveFlags),
		"state":         a.secure(RealmReadonly, a.compose(a.composeState)),
		"state-summary": a.secure(RealmReadonly, a.compose(a.composeSummary)),
		"slaves":        a.secure(RealmReadonly, a.compose(composeSlaves)),
		"frameworks":    a.secure(RealmReadonly, a.compose(composeFrameworks)),
		"tasks":         a.secure(RealmReadonly, a.compose(composeTasks)),
		"roles":         a.secure(RealmReadonly, a.read(appendRoles)),
		"weights": a.secure(RealmReadwrite, a.methods(map[string]handler{
			http.MethodGet: a.read(appendWeights), http.MethodPut: a.change(putWeights),
		}, http.MethodGet, http.MethodPut)),
		"quota": a.secure(RealmReadwrite, a.methods(map[string]handler{
			http.MethodGet: a.read(appendQuota), http.MethodPost: a.change(postQuota), http.MethodDelete: a.change(deleteQuota),
		}, http.MethodGet, http.MethodPost, http.MethodDelete)),
		"maintenance/schedule": a.secure(RealmReadwrite, a.methods(map[string]handler{
			http.MethodGet: a.read(appendSchedule), http.MethodPost: a.change(postSchedule),
		}, http.MethodGet, http.MethodPost)),
		"maintenance/status": a.secure(RealmReadwrite, a.methods(map[string]handler{
			http.MethodGet: a.read(appendMaintenanceStatus)}, http.MethodGet)),
		"machine/down": a.secure(RealmReadwrite, a.methods(map[string]handler{
			http.MethodPost: a.change(postMachinesDown)}, http.MethodPost)),
		"machine/up": a.secure(RealmReadwrite, a.methods(map[string]handler{
			http.MethodPost: a.change(postMachinesUp)}, http.MethodPost)),
		"reserve":         a.secure(RealmReadwrite, a.post(postReserve)),
		"unreserve":       a.secure(RealmReadwrite, a.post(postUnreserve)),
		"create-volumes":  a.secure(RealmReadwrite, a.post(postCreateVolumes)),
		"destroy-volumes": a.secure(RealmReadwrite, a.post(postDestroyVolumes)),
		"teardown":        a.secure(RealmReadwrite, a.serveTeardown),
	} {
		r.Handle(Process, endpoint, h)
	}
	r.Handle("registrar(1)", "registry", a.secure(RealmReadonly, a.serveRegistry))
	r.Handle("metrics", "", a.secure(RealmReadonly, a.authorizedEndpoint("/metrics/snapshot", withPrincipal(a.cfg.Metrics.Handler()))))
	r.Handle("metrics", "snapshot", a.secure(RealmReadonly, a.authorizedEndpoint("/metrics/snapshot", withPrincipal(a.cfg.Metrics))))
	r.Handle("system", "stats.json", http.HandlerFunc(host.ServeStats)) // open, as in Mesos
	for path, h := range a.cfg.Profiler.Endpoints() {
		process, endpoint, _ := strings.Cut(path, "/")
		r.Handle(process, endpoint, a.secureHandler(RealmReadwrite, h))
	}
	r.Handle("logging", "toggle", a.secure(RealmReadwrite, a.authorizedEndpoint("/logging/toggle", a.serveLoggingToggle)))
	for name, h := range a.cfg.Files.Endpoints() {
		r.Handle("files", name, a.filesHandler(name, h))
	}
	r.Help(helpTexts)
}

// helpTexts say what endpoints are for.
var helpTexts = map[string]string{
	"/master/api/v1":               "The operator API: calls in JSON or protobuf.",
	"/master/api/v1/scheduler":     "The scheduler API: frameworks subscribe and make calls here.",
	"/master/create-volumes":       "Creates persistent volumes on reserved resources.",
	"/master/destroy-volumes":      "Destroys persistent volumes.",
	"/master/flags":                "The master's flags.",
	"/master/frameworks":           "Frameworks with their tasks; framework_id=ID shows one.",
	"/master/health":               "200 as long as the master answers.",
	"/master/maintenance/schedule": "The maintenance schedule.",
	"/master/maintenance/status":   "Machines that are draining or down, and what frameworks say to it.",
	"/master/machine/down":         "Brings machines down that are scheduled for maintenance.",
	"/master/machine/up":           "Brings machines up that are down.",
	"/master/quota":                "Quotas of roles.",
	"/master/redirect":             "Leads to the leading master.",
	"/master/reserve":              "Reserves resources of an agent.",
	"/master/roles":                "Roles with weight, quota, frameworks and resources.",
	"/master/slaves":               "Agents; slave_id=ID shows one.",
	"/master/state":                "Everything: agents, and frameworks with their tasks.",
	"/master/state-summary":        "Agents and frameworks with counts of their tasks.",
	"/master/tasks":                "Tasks, newest first; limit, offset, order=asc, framework_id, task_id.",
	"/master/teardown":             "Ends a framework: POST with frameworkId=ID.",
	"/master/unreserve":            "Takes reservations back.",
	"/master/version":              "The version.",
	"/master/weights":              "Weights of roles.",
	"/registrar(1)/registry":       "The registry.",
}

// handler is an endpoint behind authentication.
type handler func(w http.ResponseWriter, r *http.Request, principal string)

// secure authenticates before anything else is looked at, as Mesos does.
func (a *API) secure(realm string, h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if principal, ok := a.cfg.Authenticate(w, r, realm); ok {
			h(w, r, principal)
		}
	})
}

func (a *API) secureHandler(realm string, h http.Handler) http.Handler {
	return a.secure(realm, func(w http.ResponseWriter, r *http.Request, _ string) { h.ServeHTTP(w, r) })
}
