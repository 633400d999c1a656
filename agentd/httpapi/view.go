package httpapi

import (
	"slices"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/state"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
)

// show answers what a view tells.
func show(t agent.Call_Type, v *state.View) *agent.Response {
	switch t {
	case agent.Call_GET_AGENT:
		out := &agent.Response_GetAgent{AgentInfo: v.Agent, DrainConfig: v.Drain}
		if v.Drain != nil {
			out.EstimatedDrainStartTime = &mesos.TimeInfo{
				Nanoseconds: new(v.DrainSince.Truncate(time.Second).UnixNano()),
			}
		}
		return &agent.Response{GetAgent: out}
	case agent.Call_GET_STATE:
		return &agent.Response{GetState: &agent.Response_GetState{
			GetTasks: getTasks(v), GetExecutors: getExecutors(v), GetFrameworks: getFrameworks(v),
		}}
	case agent.Call_GET_FRAMEWORKS:
		return &agent.Response{GetFrameworks: getFrameworks(v)}
	case agent.Call_GET_EXECUTORS:
		return &agent.Response{GetExecutors: getExecutors(v)}
	case agent.Call_GET_TASKS:
		return &agent.Response{GetTasks: getTasks(v)}
	case agent.Call_GET_OPERATIONS:
		return &agent.Response{GetOperations: &agent.Response_GetOperations{Operations: v.Operations}}
	}
	return &agent.Response{GetResourceProviders: getResourceProviders(v)}
}

func getResourceProviders(v *state.View) *agent.Response_GetResourceProviders {
	out := &agent.Response_GetResourceProviders{}
	for _, p := range v.Providers {
		out.ResourceProviders = append(out.ResourceProviders, &agent.Response_GetResourceProviders_ResourceProvider{
			ResourceProviderInfo: p.Info, TotalResources: p.Total,
		})
	}
	return out
}

func getFrameworks(v *state.View) *agent.Response_GetFrameworks {
	list := func(fs []*state.Framework) []*agent.Response_GetFrameworks_Framework {
		var out []*agent.Response_GetFrameworks_Framework
		for _, f := range fs {
			out = append(out, &agent.Response_GetFrameworks_Framework{FrameworkInfo: f.Info})
		}
		return out
	}
	return &agent.Response_GetFrameworks{Frameworks: list(v.Frameworks), CompletedFrameworks: list(v.Completed)}
}

func getExecutors(v *state.View) *agent.Response_GetExecutors {
	list := func(es []*state.Executor) []*agent.Response_GetExecutors_Executor {
		var out []*agent.Response_GetExecutors_Executor
		for _, e := range es {
			out = append(out, &agent.Response_GetExecutors_Executor{ExecutorInfo: e.Info})
		}
		return out
	}
	out := &agent.Response_GetExecutors{}
	for _, f := range slices.Concat(v.Frameworks, v.Completed) {
		out.Executors = append(out.Executors, list(f.Executors)...)
		out.CompletedExecutors = append(out.CompletedExecutors, list(f.Completed)...)
	}
	return out
}

func getTasks(v *state.View) *agent.Response_GetTasks {
	out := &agent.Response_GetTasks{}
	for _, f := range slices.Concat(v.Frameworks, v.Completed) {
		for _, e := range slices.Concat(f.Executors, f.Completed) {
			for _, t := range e.Queued {
				out.QueuedTasks = append(out.QueuedTasks, state.QueuedTask(f, t))
			}
			out.LaunchedTasks = append(out.LaunchedTasks, e.Launched...)
			out.TerminatedTasks = append(out.TerminatedTasks, e.Terminated...)
			out.CompletedTasks = append(out.CompletedTasks, e.Completed...)
		}
	}
	return out
}
