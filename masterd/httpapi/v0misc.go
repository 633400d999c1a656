package httpapi

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/acl"
	"github.com/mesos-operator/mesos-operator/internal/flags"
	"github.com/mesos-operator/mesos-operator/internal/httpserver"
	"github.com/mesos-operator/mesos-operator/internal/version"
)

// serveHealth answers 200 as long as the process answers at all. It is open to
// everybody, whether this master leads or not.
func serveHealth(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "") }

// serveVersion answers /version.
func serveVersion(w http.ResponseWriter, _ *http.Request) {
	b := versionMembers(nil)
	b = stringMember(b, "mesos_operator_version", version.Build())
	jsonBody(w, mesosjson.CloseObject(b, 0))
}

// buildTime is when the commit was made, 1970 if it isn't known.
func buildTime() time.Time {
	t, err := time.Parse(time.RFC3339, version.Time())
	if err != nil {
		return time.Unix(0, 0)
	}
	return t
}

// versionMembers is how Mesos tells its build: as the version that clients
// enable features by, with this project's commit beside it.
func versionMembers(b []byte) []byte {
	v := versionInfo()
	b = stringMember(b, "version", v.GetVersion())
	if v.GitSha != nil {
		b = stringMember(b, "git_sha", v.GetGitSha())
	}
	b = stringMember(b, "build_date", v.GetBuildDate())
	b = doubleMember(b, "build_time", v.GetBuildTime())
	return stringMember(b, "build_user", "")
}

func versionInfo() *mesos.VersionInfo {
	built := buildTime()
	v := &mesos.VersionInfo{
		Version:   new(version.Mesos),
		BuildDate: new(built.UTC().Format(time.DateTime)),
		BuildTime: new(seconds(built)),
		BuildUser: new(""),
	}
	if sha := version.Revision(); sha != "" {
		v.GitSha = &sha
	}
	return v
}

// serveFlags answers /flags, on any master.
func (a *API) serveFlags(w http.ResponseWriter, r *http.Request, principal string) {
	// As in Mesos it is only with ACLs that the method counts: they speak of reading.
	if a.cfg.Authorizer != nil && r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", http.MethodGet)
		text(w, http.StatusMethodNotAllowed, fmt.Sprintf("Expecting one of { 'GET' }, but received '%s'", r.Method))
		return
	}
	if !a.visibleTo(principal).flags.Allow(acl.Any) {
		httpserver.Refuse(w, http.StatusForbidden)
		return
	}
	b := append(key(nil, "flags"), a.flags...)
	jsonBody(w, mesosjson.CloseObject(b, 0))
}

// serveRegistry answers /registrar(1)/registry, on any master.
func (a *API) serveRegistry(w http.ResponseWriter, _ *http.Request, _ string) {
	jsonBody(w, a.cfg.Registry().AppendMesosJSON(nil))
}

// maxForm bounds the body of a form.
const maxForm = 64 << 10

// serveTeardown answers POST /teardown with frameworkId=<ID> in the body.
func (a *API) serveTeardown(w http.ResponseWriter, r *http.Request, principal string) {
	e := a.leading(w, r)
	if e == nil {
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		text(w, http.StatusMethodNotAllowed,
			fmt.Sprintf("Expecting one of { 'POST' }, but received '%s'", r.Method))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	form, err := readForm(r)
	if err != nil {
		text(w, statusOfBody(err), err.Error())
		return
	}
	if !form.Has("frameworkId") {
		text(w, http.StatusBadRequest, "Missing 'frameworkId' query parameter in the request body")
		return
	}
	reply, err := a.submit(r.Context(), e, principal, &mesosmaster.Call{
		Type:     mesosmaster.Call_TEARDOWN.Enum(),
		Teardown: &mesosmaster.Call_Teardown{FrameworkId: &mesos.FrameworkID{Value: new(form.Get("frameworkId"))}},
	})
	if err != nil {
		a.failed(w, r, err)
		return
	}
	a.reply(w, "", reply)
}

// serveLoggingToggle answers /logging/toggle: without parameters the level,
// with level and duration it is changed for that time.
func (a *API) serveLoggingToggle(w http.ResponseWriter, r *http.Request, _ string) {
	query := r.URL.Query()
	if !query.Has("level") && !query.Has("duration") {
		text(w, http.StatusOK, strconv.Itoa(int(a.cfg.Verbosity.Get()))+"\n")
		return
	}
	level, err := strconv.ParseUint(query.Get("level"), 10, 32)
	if err != nil {
		text(w, http.StatusBadRequest, fmt.Sprintf("'level' must be a number, not '%s'.\n", query.Get("level")))
		return
	}
	d, err := flags.ParseDuration(query.Get("duration"))
	if err != nil {
		text(w, http.StatusBadRequest, "'duration': "+err.Error()+".\n")
		return
	}
	if err := a.cfg.Verbosity.Set(uint32(level), d); err != nil {
		text(w, http.StatusBadRequest, err.Error()+".\n")
		return
	}
	text(w, http.StatusOK, "")
}
