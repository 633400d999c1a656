package httpapi

import (
	"context"
	"net/http"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/acl"
	"github.com/mesos-operator/mesos-operator/internal/auth"
	"github.com/mesos-operator/mesos-operator/internal/httpserver"
	"github.com/mesos-operator/mesos-operator/masterd/engine"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// submit makes a call that changes something, for a principal that may. All
// endpoints that change the cluster go through here.
func (a *API) submit(ctx context.Context, e *engine.Engine, principal string, call *mesosmaster.Call) (state.Reply, error) {
	if err := state.CheckForm(call); err != nil {
		return state.Reply{Status: http.StatusBadRequest, Text: err.Error()}, nil
	}
	allowed, err := a.mayChange(ctx, e, principal, call)
	if err != nil {
		return state.Reply{}, err
	}
	if !allowed {
		a.cfg.Log.Info("call refused: not authorized", "principal", principal, "call", call.GetType().String())
		return state.Reply{Status: http.StatusForbidden, Text: httpserver.Refusal(http.StatusForbidden)}, nil
	}
	return e.Operator(ctx, principal, call)
}

// mayChange asks the ACLs about a call. Only the principal of the framework to
// be torn down has to be looked up; who names one that isn't there is told by
// the machine.
func (a *API) mayChange(ctx context.Context, e *engine.Engine, principal string, call *mesosmaster.Call) (bool, error) {
	grants := a.cfg.Authorizer.ForName(principal)
	if call.GetType() != mesosmaster.Call_TEARDOWN {
		return grants.MayAll(wantsOf(call)), nil
	}
	approver := grants.To(acl.TeardownFramework)
	if approver.Always() {
		return true, nil
	}
	view, err := e.View(ctx)
	if err != nil {
		return false, err
	}
	id := state.FrameworkID(call.GetTeardown().GetFrameworkId().GetValue())
	for f := range view.Frameworks.All() {
		if f.ID == id {
			return approver.Allow(acl.FrameworkPrincipal(f.Info)), nil
		}
	}
	return true, nil
}

// wantsOf is all the leave that a call needs. Calls that read need none: what may
// not be seen is left out of their answers. About reservations and volumes the machine
// asks, once it knows that they are valid.
func wantsOf(call *mesosmaster.Call) []acl.Want {
	switch call.GetType() {
	case mesosmaster.Call_UPDATE_WEIGHTS:
		return acl.Each(acl.UpdateWeight, call.GetUpdateWeights().GetWeightInfos(),
			func(w *mesos.WeightInfo) acl.Object { return acl.Role(state.RoleOfWeight(w)) })
	case mesosmaster.Call_UPDATE_QUOTA, mesosmaster.Call_SET_QUOTA, mesosmaster.Call_REMOVE_QUOTA:
		return acl.Each(acl.UpdateQuota, quotaRoles(call), acl.Role)
	}
	return wantsOfMaintenance(call)
}

// wantsOfMaintenance is wantsOf for what concerns machines and agents, which
// ACLs don't tell apart.
func wantsOfMaintenance(call *mesosmaster.Call) []acl.Want {
	var actions []acl.Action
	switch call.GetType() {
	case mesosmaster.Call_UPDATE_MAINTENANCE_SCHEDULE:
		actions = []acl.Action{acl.UpdateMaintenanceSchedule}
	case mesosmaster.Call_START_MAINTENANCE:
		actions = []acl.Action{acl.StartMaintenance}
	case mesosmaster.Call_STOP_MAINTENANCE:
		actions = []acl.Action{acl.StopMaintenance}
	case mesosmaster.Call_DRAIN_AGENT:
		actions = []acl.Action{acl.DrainAgent}
		if call.GetDrainAgent().GetMarkGone() {
			actions = append(actions, acl.MarkAgentGone)
		}
	case mesosmaster.Call_DEACTIVATE_AGENT:
		actions = []acl.Action{acl.DeactivateAgent}
	case mesosmaster.Call_REACTIVATE_AGENT:
		actions = []acl.Action{acl.ReactivateAgent}
	case mesosmaster.Call_MARK_AGENT_GONE:
		actions = []acl.Action{acl.MarkAgentGone}
	}
	var wants []acl.Want
	for _, action := range actions {
		wants = append(wants, acl.Want{Action: action, Object: acl.Any})
	}
	return wants
}

func quotaRoles(call *mesosmaster.Call) []string {
	switch call.GetType() {
	case mesosmaster.Call_SET_QUOTA:
		return []string{call.GetSetQuota().GetQuotaRequest().GetRole()}
	case mesosmaster.Call_REMOVE_QUOTA:
		return []string{call.GetRemoveQuota().GetRole()}
	}
	var roles []string
	for _, config := range call.GetUpdateQuota().GetQuotaConfigs() {
		roles = append(roles, config.GetRole())
	}
	return roles
}

// authorizedEndpoint keeps a handler from those who may not get its path, which
// is asked for as get_endpoints names it, without a process.
func (a *API) authorizedEndpoint(path string, h handler) handler {
	return func(w http.ResponseWriter, r *http.Request, principal string) {
		if !a.cfg.Authorizer.ForName(principal).May(acl.GetEndpoint, acl.Path(path)) {
			httpserver.Refuse(w, http.StatusForbidden)
			return
		}
		h(w, r, principal)
	}
}

// withPrincipal is a handler that knows the principal by its context: files ask
// it whether a log may be read.
func withPrincipal(h http.Handler) handler {
	return func(w http.ResponseWriter, r *http.Request, principal string) {
		if principal != "" {
			r = r.WithContext(auth.NewContext(r.Context(), auth.Principal{Name: principal}))
		}
		h.ServeHTTP(w, r)
	}
}

// filesHandler is the handler of /files/<name>.
func (a *API) filesHandler(name string, h http.Handler) http.Handler {
	serve := withPrincipal(h)
	if name == "debug" {
		serve = a.authorizedEndpoint("/files/debug", serve)
	}
	return a.secure(RealmReadonly, serve)
}

// MayReadLog is for the files of the master's own log.
func MayReadLog(authorizer *acl.Authorizer) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		return authorizer.For(auth.FromContext(ctx)).May(acl.AccessMesosLog, acl.Any), nil
	}
}
