package state

import (
	"errors"
	"fmt"
	"math"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// validateTask checks a task that is to be launched on its own, and returns
// what it uses, without its executor.
func (m *Machine) validateTask(acc *acceptance, t *mesos.TaskInfo) (resources.Resources, error) {
	used, err := m.validateAnyTask(acc, t)
	if err != nil {
		return used, err
	}
	if (t.Executor == nil) == (t.Command == nil) {
		return used, errors.New("a task needs either 'command' or 'executor'")
	}
	if cg := t.GetContainer().GetLinuxInfo(); cg != nil && cg.ShareCgroups != nil && !*cg.ShareCgroups {
		return used, errors.New("'share_cgroups' can be false in task groups only")
	}
	total := used
	if e := t.Executor; e != nil {
		extra, err := m.validateCustomExecutor(acc, e)
		if err != nil {
			return used, err
		}
		if overlap(used, extra) {
			return used, errors.New("the task and its executor use the same ports or set items")
		}
		sum := used.Add(extra)
		if err := validateSum(sum); err != nil {
			return used, fmt.Errorf("the task and its executor together: %w", err)
		}
		if m.executors[acc.executorKey(e)] == nil {
			total = sum
		}
	}
	if !acc.available().Contains(total) {
		return used, fmt.Errorf("the task and its executor need %s, more than is left of the offer: %s",
			total, acc.available())
	}
	return used, nil
}

func (acc *acceptance) executorKey(e *mesos.ExecutorInfo) ExecutorKey {
	return ExecutorKey{acc.a.id, acc.f.id, ExecutorID(e.GetExecutorId().GetValue())}
}

// validateAnyTask checks what holds for tasks in groups, too.
func (m *Machine) validateAnyTask(acc *acceptance, t *mesos.TaskInfo) (used resources.Resources, err error) {
	id := t.GetTaskId().GetValue()
	if err := validateID(id); err != nil {
		return used, err
	}
	key := TaskKey{acc.f.id, TaskID(id)}
	switch {
	case m.tasks[key] != nil:
		return used, fmt.Errorf("the task ID '%s' is in use", id)
	case acc.f.unreachable[key.Task] != nil:
		return used, fmt.Errorf("the task ID '%s' is in use by an unreachable task", id)
	case AgentID(t.GetAgentId().GetValue()) != acc.a.id:
		return used, fmt.Errorf("the task names agent '%s', and the offer is of '%s'", t.GetAgentId().GetValue(), acc.a.id)
	case t.GetKillPolicy().GetGracePeriod().GetNanoseconds() < 0:
		return used, errors.New("'kill_policy.grace_period' must not be negative")
	case t.GetMaxCompletionTime().GetNanoseconds() < 0:
		return used, errors.New("'max_completion_time' must not be negative")
	case len(t.GetResources()) == 0:
		return used, errors.New("the task uses no resources")
	}
	if used, err = validateUse(t.GetResources()); err != nil {
		return used, fmt.Errorf("the task's resources: %w", err)
	}
	return used, validateTaskParts(acc.a, t, used)
}

// validateTaskParts checks the parts of a task that agents and executors act
// on.
func validateTaskParts(a *agent, t *mesos.TaskInfo, used resources.Resources) error {
	if c := t.Check; c != nil {
		if err := validateCheck(c); err != nil {
			return fmt.Errorf("the task's check: %w", err)
		}
	}
	if h := t.HealthCheck; h != nil {
		if err := validateHealthCheck(h); err != nil {
			return fmt.Errorf("the task's health check: %w", err)
		}
	}
	if err := validateCommand(t.Command); err != nil {
		return fmt.Errorf("the task's command: %w", err)
	}
	if err := validateContainer(t.Container); err != nil {
		return fmt.Errorf("the task's container: %w", err)
	}
	return validateLimits(a, t.GetLimits(), used)
}

// validateLimits checks how much more than it asks for a task may use.
func validateLimits(a *agent, limits map[string]*mesos.Value_Scalar, used resources.Resources) error {
	if len(limits) == 0 {
		return nil
	}
	if !a.caps.taskResourceLimits {
		return errors.New("the agent does not know resource limits of tasks")
	}
	for name, limit := range limits {
		if name != "cpus" && name != "mem" {
			return fmt.Errorf("there are limits for cpus and mem, not for '%s'", name)
		}
		request := used.Scalar(name)
		switch {
		case request == 0:
			return fmt.Errorf("a limit for %s needs a request for it", name)
		case !math.IsInf(limit.GetValue(), 1) && resources.ScalarOf(limit.GetValue()) < request:
			return fmt.Errorf("the limit for %s is less than the request", name)
		}
	}
	return nil
}
