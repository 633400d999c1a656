package httpapi

import (
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/maintenance"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// viewAnswer is a Response about the cluster.
type viewAnswer struct {
	message func(a *API) *mesosmaster.Response
	// json writes the member of the Response, where Mesos's JSON differs from
	// the message's: lists that are empty are there. Optional.
	json func(b []byte) []byte
	name string // of that member
}

// aboutCluster returns what answers a call that reads the cluster, nil for
// others.
func aboutCluster(t mesosmaster.Call_Type) func(*state.View, visible) viewAnswer {
	switch t {
	case mesosmaster.Call_GET_STATE:
		return func(v *state.View, see visible) viewAnswer {
			v = see.of(v)
			return viewAnswer{
				name: "get_state", json: func(b []byte) []byte { return appendGetState(b, v, see) },
				message: func(*API) *mesosmaster.Response { return &mesosmaster.Response{GetState: getState(v, see)} },
			}
		}
	case mesosmaster.Call_GET_AGENTS:
		return func(v *state.View, see visible) viewAnswer {
			v = see.of(v)
			return viewAnswer{
				name: "get_agents", json: func(b []byte) []byte { return appendGetAgents(b, v, see) },
				message: func(*API) *mesosmaster.Response { return &mesosmaster.Response{GetAgents: getAgents(v, see)} },
			}
		}
	case mesosmaster.Call_GET_FRAMEWORKS:
		return func(v *state.View, see visible) viewAnswer {
			v = see.of(v)
			return viewAnswer{
				name: "get_frameworks", json: func(b []byte) []byte { return appendGetFrameworks(b, v) },
				message: func(*API) *mesosmaster.Response { return &mesosmaster.Response{GetFrameworks: getFrameworks(v)} },
			}
		}
	case mesosmaster.Call_GET_EXECUTORS:
		return func(v *state.View, see visible) viewAnswer {
			v = see.of(v)
			return viewAnswer{
				name: "get_executors", json: func(b []byte) []byte { return appendGetExecutors(b, v) },
				message: func(*API) *mesosmaster.Response { return &mesosmaster.Response{GetExecutors: getExecutors(v)} },
			}
		}
	case mesosmaster.Call_GET_TASKS:
		return func(v *state.View, see visible) viewAnswer {
			v = see.of(v)
			return viewAnswer{
				name: "get_tasks", json: func(b []byte) []byte { return appendGetTasks(b, v) },
				message: func(*API) *mesosmaster.Response { return &mesosmaster.Response{GetTasks: getTasks(v)} },
			}
		}
	}
	return aboutPolicy(t)
}

// aboutPolicy is aboutCluster for what is small and has no JSON of its own.
func aboutPolicy(t mesosmaster.Call_Type) func(*state.View, visible) viewAnswer {
	response := func(f func(*API, *state.View, visible) *mesosmaster.Response) func(*state.View, visible) viewAnswer {
		return func(v *state.View, see visible) viewAnswer {
			return viewAnswer{message: func(a *API) *mesosmaster.Response { return f(a, v, see) }}
		}
	}
	switch t {
	case mesosmaster.Call_GET_MASTER:
		return response(func(a *API, v *state.View, _ visible) *mesosmaster.Response {
			return &mesosmaster.Response{GetMaster: &mesosmaster.Response_GetMaster{
				MasterInfo: v.Master, StartTime: new(seconds(a.cfg.Started)), ElectedTime: new(seconds(v.Elected)),
			}}
		})
	case mesosmaster.Call_GET_ROLES:
		return response(func(_ *API, v *state.View, see visible) *mesosmaster.Response {
			return &mesosmaster.Response{GetRoles: getRoles(v, see)}
		})
	case mesosmaster.Call_GET_WEIGHTS:
		return response(func(_ *API, v *state.View, see visible) *mesosmaster.Response {
			return &mesosmaster.Response{GetWeights: &mesosmaster.Response_GetWeights{WeightInfos: weightInfos(v, see)}}
		})
	case mesosmaster.Call_GET_QUOTA:
		return response(func(_ *API, v *state.View, see visible) *mesosmaster.Response {
			return &mesosmaster.Response{GetQuota: &mesosmaster.Response_GetQuota{Status: quotaStatus(v, see)}}
		})
	case mesosmaster.Call_GET_OPERATIONS:
		return response(func(_ *API, v *state.View, see visible) *mesosmaster.Response {
			return &mesosmaster.Response{GetOperations: getOperations(v, see)}
		})
	case mesosmaster.Call_GET_MAINTENANCE_SCHEDULE:
		return response(func(*API, *state.View, visible) *mesosmaster.Response {
			return &mesosmaster.Response{GetMaintenanceSchedule: &mesosmaster.Response_GetMaintenanceSchedule{
				Schedule: &maintenance.Schedule{}}}
		})
	case mesosmaster.Call_GET_MAINTENANCE_STATUS:
		return response(func(*API, *state.View, visible) *mesosmaster.Response {
			return &mesosmaster.Response{GetMaintenanceStatus: &mesosmaster.Response_GetMaintenanceStatus{
				Status: &maintenance.ClusterStatus{}}}
		})
	}
	return nil
}

// sendViewAnswer sends an answer in the negotiated content type.
func (a *API) sendViewAnswer(c *operatorCall, view *state.View, see visible, answer viewAnswer) {
	if c.contentType != codec.JSON || answer.json == nil {
		a.respond(c, answer.message(a))
		return
	}
	write := func(b []byte) []byte { return appendTyped(b, c.call.GetType().String(), answer.name, answer.json) }
	if !see.everything() {
		jsonBody(c.w, write(nil))
		return
	}
	a.answers[c.call.GetType()].use(view, write, func(body []byte) { jsonBody(c.w, body) })
}

// appendTyped writes the frame that all answers and events have.
func appendTyped(b []byte, kind, name string, member func([]byte) []byte) []byte {
	b = append(b, `{"type":"`...)
	b = append(b, kind...)
	b = append(b, '"')
	return append(member(key(b, name)), '}')
}

func getState(v *state.View, see visible) *mesosmaster.Response_GetState {
	return &mesosmaster.Response_GetState{
		GetTasks: getTasks(v), GetExecutors: getExecutors(v), GetFrameworks: getFrameworks(v), GetAgents: getAgents(v, see),
	}
}

func getTasks(v *state.View) *mesosmaster.Response_GetTasks {
	return &mesosmaster.Response_GetTasks{
		Tasks: list(v.Tasks), UnreachableTasks: list(v.UnreachableTasks), CompletedTasks: list(v.CompletedTasks),
	}
}

func list[T any](t state.Table[T]) []*T {
	all := make([]*T, 0, t.Len())
	for r := range t.All() {
		all = append(all, r)
	}
	return all
}

func getExecutors(v *state.View) *mesosmaster.Response_GetExecutors {
	get := &mesosmaster.Response_GetExecutors{}
	for e := range v.Executors.All() {
		get.Executors = append(get.Executors, executorResponse(e))
	}
	return get
}

func executorResponse(e *state.Executor) *mesosmaster.Response_GetExecutors_Executor {
	return &mesosmaster.Response_GetExecutors_Executor{
		ExecutorInfo: e.Info, AgentId: &mesos.AgentID{Value: new(string(e.Agent))},
	}
}

func getFrameworks(v *state.View) *mesosmaster.Response_GetFrameworks {
	offers := offersOf(v)
	get := &mesosmaster.Response_GetFrameworks{}
	for f := range v.Frameworks.All() {
		get.Frameworks = append(get.Frameworks, frameworkResponse(f, offers[f.ID]))
	}
	for f := range v.CompletedFrameworks.All() {
		get.CompletedFrameworks = append(get.CompletedFrameworks, frameworkResponse(f, nil))
	}
	return get
}

func offersOf(v *state.View) map[state.FrameworkID][]*mesos.Offer {
	offers := map[state.FrameworkID][]*mesos.Offer{}
	for o := range v.Offers.All() {
		id := state.FrameworkID(o.Offer.GetFrameworkId().GetValue())
		offers[id] = append(offers[id], o.Offer)
	}
	return offers
}

func frameworkResponse(f *state.Framework, offers []*mesos.Offer) *mesosmaster.Response_GetFrameworks_Framework {
	r := &mesosmaster.Response_GetFrameworks_Framework{
		FrameworkInfo:      f.Info,
		Active:             new(f.Active),
		Connected:          new(f.Connected),
		Recovered:          new(f.Recovered),
		RegisteredTime:     timeInfo(f.Registered),
		ReregisteredTime:   timeInfo(f.Reregistered),
		UnregisteredTime:   timeInfo(f.Unregistered),
		Offers:             offers,
		AllocatedResources: resources.Endpoint(f.Used),
		OfferedResources:   resources.Endpoint(f.Offered),
		OfferConstraints:   f.Constraints,
	}
	if r.OfferConstraints == nil {
		r.OfferConstraints = noConstraints
	}
	return r
}

// timeInfo is nil for the zero time.
func timeInfo(t time.Time) *mesos.TimeInfo {
	if t.IsZero() {
		return nil
	}
	return &mesos.TimeInfo{Nanoseconds: new(t.UnixNano())}
}

func getAgents(v *state.View, see visible) *mesosmaster.Response_GetAgents {
	get := &mesosmaster.Response_GetAgents{RecoveredAgents: list(v.RecoveredAgents.Filter(see.agentInfo))}
	for a := range v.Agents.All() {
		get.Agents = append(get.Agents, agentResponse(a, see))
	}
	return get
}

func agentResponse(a *state.Agent, see visible) *mesosmaster.Response_GetAgents_Agent {
	return &mesosmaster.Response_GetAgents_Agent{
		AgentInfo:               a.Info,
		Active:                  new(a.Active),
		Deactivated:             new(a.Deactivated),
		Version:                 new(a.Version),
		Pid:                     new(string(a.PID)),
		RegisteredTime:          timeInfo(a.Registered),
		ReregisteredTime:        timeInfo(a.Reregistered),
		TotalResources:          resources.Endpoint(see.resources(a.Total)),
		AllocatedResources:      resources.Endpoint(see.resources(a.Used)),
		OfferedResources:        resources.Endpoint(see.resources(a.Offered)),
		Capabilities:            a.Capabilities,
		DrainInfo:               a.Drain,
		EstimatedDrainStartTime: timeInfo(a.DrainStarted.Truncate(time.Second)),
	}
}

// shownByRoles are the resources that GET_ROLES tells of, as in Mesos.
var shownByRoles = map[string]bool{"cpus": true, "disk": true, "gpus": true, "mem": true}

func getRoles(v *state.View, see visible) *mesosmaster.Response_GetRoles {
	get := &mesosmaster.Response_GetRoles{}
	for _, r := range knownRoles(v, see) {
		out := &mesos.Role{Name: new(r.name), Weight: new(r.weight)}
		for _, id := range r.frameworks {
			out.Frameworks = append(out.Frameworks, &mesos.FrameworkID{Value: new(string(id))})
		}
		for _, q := range r.allocated.Add(r.offered) {
			if shownByRoles[q.Name] {
				out.Resources = append(out.Resources, &mesos.Resource{
					Name: new(q.Name), Type: mesos.Value_SCALAR.Enum(),
					Scalar: &mesos.Value_Scalar{Value: new(q.Value.Float())},
				})
			}
		}
		get.Roles = append(get.Roles, out)
	}
	return get
}
