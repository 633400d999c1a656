package console

import (
	"context"
	"errors"
	"fmt"
	"strings"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
	"github.com/mesos-operator/mesos-operator/internal/masterclient"
)

// Errors about the task that is looked for.
var (
	ErrNoTask    = errors.New("no such task")
	ErrAmbiguous = errors.New("several tasks have this name")
	ErrNotRuns   = errors.New("the task does not run")
)

// target is a running task.
type target struct {
	task      *mesos.Task
	container *mesos.ContainerID
	// agent is its agent's "host:port".
	agent string
}

// find looks a task up at the master, by its ID or else its name; framework may be "".
func find(ctx context.Context, client *masterclient.Client, framework, name string) (target, error) {
	r, err := client.Master(ctx, &master.Call{Type: master.Call_GET_TASKS.Enum()})
	if err != nil {
		return target{}, err
	}
	task, err := choose(r.GetGetTasks(), framework, name)
	if err != nil {
		return target{}, err
	}
	t := target{task: task, container: containerOf(task)}
	if t.container == nil {
		return t, fmt.Errorf("task %s: its status doesn't tell its container", name)
	}
	t.agent, err = agentOf(ctx, client, task.GetAgentId().GetValue())
	return t, err
}

func choose(tasks *master.Response_GetTasks, framework, name string) (*mesos.Task, error) {
	byID := func(t *mesos.Task) bool { return t.GetTaskId().GetValue() == name }
	byName := func(t *mesos.Task) bool { return t.GetName() == name }
	for _, matches := range []func(*mesos.Task) bool{byID, byName} {
		var found []*mesos.Task
		for _, t := range tasks.GetTasks() {
			if matches(t) && (framework == "" || t.GetFrameworkId().GetValue() == framework) {
				found = append(found, t)
			}
		}
		switch {
		case len(found) > 1:
			return nil, fmt.Errorf("%w: %s; choose by --framework or by ID: %s", ErrAmbiguous, name, describe(found))
		case len(found) == 1 && found[0].GetState() != mesos.TaskState_TASK_RUNNING:
			return nil, fmt.Errorf("%w: %s is %s", ErrNotRuns, name, found[0].GetState())
		case len(found) == 1:
			return found[0], nil
		}
	}
	for _, t := range tasks.GetCompletedTasks() {
		if byID(t) || byName(t) {
			return nil, fmt.Errorf("%w: %s is %s", ErrNotRuns, name, t.GetState())
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrNoTask, name)
}

func describe(tasks []*mesos.Task) string {
	var out []string
	for _, t := range tasks {
		out = append(out, fmt.Sprintf("%s of %s", t.GetTaskId().GetValue(), t.GetFrameworkId().GetValue()))
	}
	return strings.Join(out, ", ")
}

// containerOf is that of the last status that tells one.
func containerOf(t *mesos.Task) (id *mesos.ContainerID) {
	for _, s := range t.GetStatuses() {
		if c := s.GetContainerStatus().GetContainerId(); c != nil {
			id = c
		}
	}
	return id
}

func agentOf(ctx context.Context, client *masterclient.Client, id string) (string, error) {
	r, err := client.Master(ctx, &master.Call{Type: master.Call_GET_AGENTS.Enum()})
	if err != nil {
		return "", err
	}
	for _, a := range r.GetGetAgents().GetAgents() {
		if a.GetAgentInfo().GetId().GetValue() != id {
			continue
		}
		pid, err := libprocess.ParsePID(a.GetPid())
		if err != nil {
			return "", fmt.Errorf("agent %s: %w", id, err)
		}
		return pid.Address.String(), nil
	}
	return "", fmt.Errorf("agent %s of the task is not registered with the master", id)
}
