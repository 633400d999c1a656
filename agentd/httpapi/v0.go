package httpapi

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/pending"
	"github.com/mesos-operator/mesos-operator/agentd/state"
	"github.com/mesos-operator/mesos-operator/internal/acl"
	"github.com/mesos-operator/mesos-operator/internal/httpserver"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/internal/version"
)

func serveHealth(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "") }

func serveVersion(w http.ResponseWriter, _ *http.Request) {
	out := &writer{}
	out.element(func() { out.version() })
	jsonBody(w, out.b)
}

// version writes which Mesos this is, and which build.
func (w *writer) version() {
	w.string("version", version.Mesos)
	if sha := version.Revision(); sha != "" {
		w.string("git_sha", sha)
	}
	date, unix := buildTime()
	w.string("build_date", date)
	w.double("build_time", unix)
	w.string("build_user", "")
}

// buildTime is when the build's commit was made, as Mesos writes times of builds.
func buildTime() (date string, unix float64) {
	t, err := time.Parse(time.RFC3339, version.Time())
	if err != nil {
		return "", 0
	}
	return t.UTC().Format(time.DateTime), float64(t.Unix())
}

func (a *API) serveFlags(w http.ResponseWriter, r *http.Request) {
	if !a.grants(r.Context()).May(acl.ViewFlags, acl.Any) {
		httpserver.Refuse(w, http.StatusForbidden)
		return
	}
	out := &writer{}
	out.element(func() { out.flags(a.cfg.Flags) })
	jsonBody(w, out.b)
}

func (w *writer) flags(flags map[string]string) {
	w.object("flags", func() {
		for _, name := range slices.Sorted(maps.Keys(flags)) {
			w.string(name, flags[name])
		}
	})
}

func (a *API) serveState(w http.ResponseWriter, r *http.Request) {
	a.read(w, r, func(v *state.View) []byte {
		out := &writer{}
		out.element(func() { a.state(out, v, a.grants(r.Context())) })
		return out.b
	})
}

// state writes /state in Mesos's order.
func (a *API) state(w *writer, v *state.View, grants *acl.Grants) {
	w.roles = grants.To(acl.ViewRole)
	w.version()
	w.double("start_time", float64(a.cfg.Started.UnixMicro())/1e6)
	w.string("id", v.Agent.GetId().GetValue())
	w.string("pid", a.cfg.Engine.PID().String())
	w.string("hostname", v.Agent.GetHostname())
	w.list("capabilities", func() {
		for _, c := range v.Capabilities {
			w.elementString(c.GetType().String())
		}
	})
	if v.Agent.Domain != nil {
		w.message("domain", v.Agent.GetDomain())
	}
	if v.Drain != nil {
		w.message("drain_config", v.Drain)
		w.int("estimated_drain_start_time_seconds", v.DrainSince.Unix())
	}
	w.stateResources(v)
	w.attributes("attributes", v.Agent.GetAttributes())
	if v.Master != "" {
		w.string("master_hostname", a.masterHostname(v.Master))
	}
	if grants.May(acl.ViewFlags, acl.Any) {
		a.stateFlags(w)
	}
	w.list("frameworks", func() { w.frameworks(v.Frameworks) })
	w.list("completed_frameworks", func() { w.frameworks(v.Completed) })
}

func (a *API) stateFlags(w *writer) {
	if a.cfg.LogDir != "" {
		w.string("log_dir", a.cfg.LogDir)
	}
	if a.cfg.ExternalLogFile != "" {
		w.string("external_log_file", a.cfg.ExternalLogFile)
	}
	w.flags(a.cfg.Flags)
}

func (w *writer) frameworks(fs []*state.Framework) {
	for _, f := range fs {
		w.element(func() { w.framework(f) })
	}
}

// stateResources tells what the agent has and what of it is used.
func (w *writer) stateResources(v *state.View) {
	total := resources.Of(v.Total...)
	var used resources.Resources
	for _, f := range v.Frameworks {
		for _, e := range f.Executors {
			used = used.Add(resources.Of(e.Resources...))
		}
	}
	w.amounts("resources", total)
	w.reservations("reserved_resources", total)
	w.amounts("unreserved_resources", total.Unreserved())
	w.object("reserved_resources_full", func() {
		byRole := w.byRole(total)
		for _, role := range slices.Sorted(maps.Keys(byRole)) {
			w.full(role, byRole[role])
		}
	})
	w.full("unreserved_resources_full", total.Unreserved())
	w.reservations("reserved_resources_allocated", used)
	w.amounts("unreserved_resources_allocated", used.Unreserved())
	messageList(w, "resource_providers", getResourceProviders(v).GetResourceProviders())
}

// masterHostname falls back to the address in the PID.
func (a *API) masterHostname(pid string) string {
	if a.cfg.MasterHostname != nil {
		if name := a.cfg.MasterHostname(pid); name != "" {
			return name
		}
	}
	_, address, _ := strings.Cut(pid, "@")
	return address[:max(strings.LastIndexByte(address, ':'), 0)]
}

// serveContainerizerDebug lists what the containerizer waits for.
func (a *API) serveContainerizerDebug(w http.ResponseWriter, _ *http.Request) {
	out := &writer{}
	out.element(func() { out.list("pending", func() { out.operations(a.cfg.Pending.All()) }) })
	jsonBody(w, out.b)
}

func (w *writer) operations(pending []pending.Operation) {
	for _, o := range pending {
		w.element(func() {
			w.string("operation", o.Name)
			w.object("args", func() {
				for _, name := range slices.Sorted(maps.Keys(o.Args)) {
					w.string(name, o.Args[name])
				}
			})
		})
	}
}
