package httpapi

import (
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// reading is what answers a call that reads the cluster.
type reading struct {
	// part is the field of the Response, for what may be long. The records come
	// from the part of the View that may be seen.
	part func(v *state.View, see visible) part
	// message is the Response, for what is short.
	message func(a *API, v *state.View, see visible) *mesosmaster.Response
}

// readings are the calls that read the cluster.
var readings = map[mesosmaster.Call_Type]reading{
	mesosmaster.Call_GET_STATE:      {part: getState},
	mesosmaster.Call_GET_AGENTS:     {part: getAgents},
	mesosmaster.Call_GET_FRAMEWORKS: {part: getFrameworks},
	mesosmaster.Call_GET_EXECUTORS:  {part: getExecutors},
	mesosmaster.Call_GET_TASKS:      {part: getTasks},

	mesosmaster.Call_GET_MASTER: {message: func(a *API, v *state.View, _ visible) *mesosmaster.Response {
		return &mesosmaster.Response{GetMaster: &mesosmaster.Response_GetMaster{
			MasterInfo: v.Master, StartTime: new(seconds(a.cfg.Started)), ElectedTime: new(seconds(v.Elected)),
		}}
	}},
	mesosmaster.Call_GET_ROLES: {message: func(_ *API, v *state.View, see visible) *mesosmaster.Response {
		return &mesosmaster.Response{GetRoles: getRoles(v, see)}
	}},
	mesosmaster.Call_GET_WEIGHTS: {message: func(_ *API, v *state.View, see visible) *mesosmaster.Response {
		return &mesosmaster.Response{GetWeights: &mesosmaster.Response_GetWeights{WeightInfos: weightInfos(v, see)}}
	}},
	mesosmaster.Call_GET_QUOTA: {message: func(_ *API, v *state.View, see visible) *mesosmaster.Response {
		return &mesosmaster.Response{GetQuota: &mesosmaster.Response_GetQuota{Status: quotaStatus(v, see)}}
	}},
	mesosmaster.Call_GET_OPERATIONS: {message: func(_ *API, v *state.View, see visible) *mesosmaster.Response {
		return &mesosmaster.Response{GetOperations: getOperations(v, see)}
	}},
	mesosmaster.Call_GET_MAINTENANCE_SCHEDULE: {message: func(_ *API, v *state.View, see visible) *mesosmaster.Response {
		return &mesosmaster.Response{GetMaintenanceSchedule: &mesosmaster.Response_GetMaintenanceSchedule{
			Schedule: see.maintenanceSchedule(v)}}
	}},
	mesosmaster.Call_GET_MAINTENANCE_STATUS: {message: func(_ *API, v *state.View, see visible) *mesosmaster.Response {
		return &mesosmaster.Response{GetMaintenanceStatus: &mesosmaster.Response_GetMaintenanceStatus{
			Status: see.maintenanceStatus(v)}}
	}},
}

// Fields of the long answers.
var (
	responseType    = named(&mesosmaster.Response{}, "type")
	stateField      = named(&mesosmaster.Response{}, "get_state")
	agentsField     = named(&mesosmaster.Response{}, "get_agents")
	frameworksField = named(&mesosmaster.Response{}, "get_frameworks")
	executorsField  = named(&mesosmaster.Response{}, "get_executors")
	tasksField      = named(&mesosmaster.Response{}, "get_tasks")

	stateTasks      = named(&mesosmaster.Response_GetState{}, "get_tasks")
	stateExecutors  = named(&mesosmaster.Response_GetState{}, "get_executors")
	stateFrameworks = named(&mesosmaster.Response_GetState{}, "get_frameworks")
	stateAgents     = named(&mesosmaster.Response_GetState{}, "get_agents")
)

// readCluster answers a call that reads the cluster.
func (a *API) readCluster(c *operatorCall, how reading) {
	defer a.workshop.lane.Begin()()
	see := a.visibleTo(c.principal)
	if how.part != nil && c.contentType == codec.JSON {
		a.asked.json.Store(true)
	}
	if how.part != nil && see.everything() {
		b, err := a.answers[answerKind{c.call.GetType(), c.contentType}].get(c.r.Context(), c.engine)
		if err != nil {
			a.failed(c.w, c.r, err)
			return
		}
		b.send(c.w, c.r, c.contentType)
		return
	}
	view, err := c.engine.View(c.r.Context())
	if err != nil {
		a.failed(c.w, c.r, err)
		return
	}
	if how.part == nil {
		a.respond(c, how.message(a, view, see))
		return
	}
	if err := a.workshop.enter(c.r.Context()); err != nil {
		return // the client is gone
	}
	b := response(a.workshop.body(), c.call.GetType(), c.contentType, how.part(see.of(view), see))
	a.workshop.leave()
	b.send(c.w, c.r, c.contentType)
}

// answerKind is what answers differ in for who sees everything.
type answerKind struct {
	call        mesosmaster.Call_Type
	contentType string
}

// sharedAnswers makes the answers for who sees everything.
func sharedAnswers(w *workshop) map[answerKind]*shared {
	answers := map[answerKind]*shared{}
	for t, how := range readings {
		for _, contentType := range []string{codec.JSON, codec.Protobuf} {
			if how.part != nil {
				answers[answerKind{t, contentType}] = newShared(w, func(b *body, v *state.View) {
					response(b, t, contentType, how.part(v, visible{}))
				})
			}
		}
	}
	return answers
}

// response is a whole Response, whose type has the name of the call.
func response(b *body, t mesosmaster.Call_Type, contentType string, p part) *body {
	kind := mesosmaster.Response_Type(mesosmaster.Response_Type_value[t.String()])
	return compose(b, contentType, name{responseType, kind.String(), kind.Number()}, p)
}

func getState(v *state.View, see visible) part { return stateAs(stateField, v, see) }

// stateAs is everything there is, as a field of an answer or event.
func stateAs(field fieldName, v *state.View, see visible) part {
	return nested{field, []part{
		tasksAs(stateTasks, v), executorsAs(stateExecutors, v), frameworksAs(stateFrameworks, v), agentsAs(stateAgents, v, see),
	}}
}

func getTasks(v *state.View, _ visible) part { return tasksAs(tasksField, v) }

func tasksAs(field fieldName, v *state.View) part {
	return nested{field, []part{
		taskList("tasks", v.Tasks), taskList("unreachable_tasks", v.UnreachableTasks), taskList("completed_tasks", v.CompletedTasks),
	}}
}

func taskList(name protoreflect.Name, t state.Table[mesos.Task]) part {
	return repeated[mesos.Task]{
		fieldName: named(&mesosmaster.Response_GetTasks{}, name), table: t,
		appendJSON: appendMessage[*mesos.Task], message: func(t *mesos.Task) proto.Message { return t },
	}
}

func getExecutors(v *state.View, _ visible) part { return executorsAs(executorsField, v) }

func executorsAs(field fieldName, v *state.View) part {
	return nested{field, []part{repeated[state.Executor]{
		fieldName: named(&mesosmaster.Response_GetExecutors{}, "executors"), table: v.Executors,
		appendJSON: func(b []byte, e *state.Executor) []byte { return executorResponse(e).AppendMesosJSON(b) },
		message:    func(e *state.Executor) proto.Message { return executorResponse(e) },
	}}}
}

func executorResponse(e *state.Executor) *mesosmaster.Response_GetExecutors_Executor {
	return &mesosmaster.Response_GetExecutors_Executor{
		ExecutorInfo: e.Info, AgentId: &mesos.AgentID{Value: new(string(e.Agent))},
	}
}

func getFrameworks(v *state.View, _ visible) part { return frameworksAs(frameworksField, v) }

func frameworksAs(field fieldName, v *state.View) part {
	return nested{field, []part{
		frameworkList("frameworks", v.Frameworks, offersOf(v)), frameworkList("completed_frameworks", v.CompletedFrameworks, nil),
	}}
}

// frameworkList is not kept: offers come and go.
func frameworkList(name protoreflect.Name, t state.Table[state.Framework], offers map[state.FrameworkID][]*mesos.Offer) part {
	return repeated[state.Framework]{
		fieldName: named(&mesosmaster.Response_GetFrameworks{}, name), table: t, unkept: true,
		appendJSON: func(b []byte, f *state.Framework) []byte {
			return frameworkResponse(f, offers[f.ID]).AppendMesosJSON(b)
		},
		message: func(f *state.Framework) proto.Message { return frameworkResponse(f, offers[f.ID]) },
	}
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

func getAgents(v *state.View, see visible) part { return agentsAs(agentsField, v, see) }

// agentsAs keeps agents only as those see them who see all roles.
func agentsAs(field fieldName, v *state.View, see visible) part {
	return nested{field, []part{
		repeated[state.Agent]{
			fieldName: named(&mesosmaster.Response_GetAgents{}, "agents"), table: v.Agents, unkept: !see.roles.Always(),
			appendJSON: func(b []byte, a *state.Agent) []byte { return appendAgentResponse(b, a, see) },
			message:    func(a *state.Agent) proto.Message { return agentResponse(a, see) },
		},
		repeated[mesos.AgentInfo]{
			fieldName: named(&mesosmaster.Response_GetAgents{}, "recovered_agents"), table: v.RecoveredAgents.Filter(see.agentInfo),
			appendJSON: appendAgentInfo, message: func(i *mesos.AgentInfo) proto.Message { return i },
		},
	}}
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
		ResourceProviders:       providersResponse(a, see),
	}
}

func providersResponse(a *state.Agent, see visible) []*mesosmaster.Response_GetAgents_Agent_ResourceProvider {
	var list []*mesosmaster.Response_GetAgents_Agent_ResourceProvider
	for _, p := range a.Providers {
		list = append(list, &mesosmaster.Response_GetAgents_Agent_ResourceProvider{
			ResourceProviderInfo: p.Info, TotalResources: resources.Endpoint(see.resources(p.Total)),
		})
	}
	return list
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
