package state

import (
	"errors"
	"fmt"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// What an executor of a group must have at least, as in Mesos: the default
// executor does not run in less.
const (
	minExecutorCPUs resources.Scalar = 10     // 0.01
	minExecutorMem  resources.Scalar = 32_000 // megabytes
)

// validateGroup checks a task group as a whole and returns what each of its
// tasks uses, without the executor.
func (m *Machine) validateGroup(acc *acceptance, group *mesos.Offer_Operation_LaunchGroup) ([]resources.Resources, error) {
	tasks := group.GetTaskGroup().GetTasks()
	if len(tasks) == 0 {
		// An agent would not start the executor, and we would wait for its
		// end for ever.
		return nil, errors.New("the group has no tasks")
	}
	used := make([]resources.Resources, len(tasks))
	ids := make(map[string]bool, len(tasks))
	for i, t := range tasks {
		id := t.GetTaskId().GetValue()
		u, err := m.validateGroupTask(acc, t)
		if err == nil && ids[id] {
			err = errors.New("its ID is in the group twice")
		}
		if err != nil {
			return nil, fmt.Errorf("task '%s' is invalid: %w", id, err)
		}
		used[i], ids[id] = u, true
	}
	extra, err := m.validateGroupExecutor(acc, group)
	if err != nil {
		return nil, err
	}
	if overlap(append([]resources.Resources{extra}, used...)...) {
		return nil, errors.New("the tasks and their executor use the same ports or set items")
	}
	var need resources.Resources
	for _, u := range used {
		need = need.Add(u)
	}
	if err := validateSum(need.Add(extra)); err != nil {
		return nil, fmt.Errorf("the tasks and their executor together: %w", err)
	}
	if m.executors[acc.executorKey(group.GetExecutor())] == nil {
		need = need.Add(extra)
	}
	if !acc.available().Contains(need) {
		return nil, fmt.Errorf("the task group and its executor need %s, more than is left of the offer: %s",
			need, acc.available())
	}
	return used, m.validateGroupCgroups(acc, group)
}

func (m *Machine) validateGroupTask(acc *acceptance, t *mesos.TaskInfo) (resources.Resources, error) {
	used, err := m.validateAnyTask(acc, t)
	if err != nil {
		return used, err
	}
	h := t.GetHealthCheck().GetType()
	c := t.GetContainer()
	switch {
	case len(c.GetNetworkInfos()) > 0 && (h == mesos.HealthCheck_HTTP || h == mesos.HealthCheck_TCP):
		return used, errors.New("HTTP and TCP health checks need the network of the executor")
	case c != nil && c.GetType() == mesos.ContainerInfo_DOCKER:
		return used, errors.New("a task of a group can't have a container of type DOCKER")
	case len(t.GetLimits()) > 0 && sharesCgroups(c):
		return used, errors.New("resource limits in a task group need 'share_cgroups' to be false")
	}
	return used, nil
}

func (m *Machine) validateGroupExecutor(acc *acceptance, group *mesos.Offer_Operation_LaunchGroup) (resources.Resources, error) {
	e := group.GetExecutor()
	used, err := m.validateExecutor(acc, e)
	switch {
	case err != nil:
		return used, err
	case e.GetType() == mesos.ExecutorInfo_UNKNOWN:
		return used, errors.New("the executor of a task group needs a 'type'")
	case e.Container != nil && e.Container.GetType() == mesos.ContainerInfo_DOCKER:
		return used, errors.New("the executor of a task group can't have a container of type DOCKER")
	case used.Scalar("cpus") < minExecutorCPUs:
		return used, fmt.Errorf("the executor has %s cpus and needs %s", used.Scalar("cpus"), minExecutorCPUs)
	case used.Scalar("mem") < minExecutorMem:
		return used, fmt.Errorf("the executor has %s MB of mem and needs %s", used.Scalar("mem"), minExecutorMem)
	case used.Scalar("disk") == 0:
		return used, errors.New("the executor has no disk")
	}
	for _, t := range group.GetTaskGroup().GetTasks() {
		if t.Executor != e && !sameExecutor(&executor{info: e, resources: used}, t.Executor, resources.Of(t.Executor.GetResources()...)) {
			return used, fmt.Errorf("task '%s' names another executor than its group", t.GetTaskId().GetValue())
		}
	}
	return used, nil
}

// sharesCgroups says whether a container of a group lives in the cgroups of its
// executor, which is so unless it says otherwise.
func sharesCgroups(c *mesos.ContainerInfo) bool {
	l := c.GetLinuxInfo()
	return l == nil || l.ShareCgroups == nil || *l.ShareCgroups
}

// validateGroupCgroups checks that all tasks of an executor share its cgroups,
// or that none does.
func (m *Machine) validateGroupCgroups(acc *acceptance, group *mesos.Offer_Operation_LaunchGroup) error {
	if err := validateShareCgroups(group.GetExecutor()); err != nil {
		return err
	}
	tasks := group.GetTaskGroup().GetTasks()
	for _, t := range tasks {
		if sharesCgroups(t.Container) != sharesCgroups(tasks[0].Container) {
			return errMixedCgroups
		}
	}
	if len(tasks) == 0 || m.executors[acc.executorKey(group.GetExecutor())] == nil {
		return nil
	}
	for t := range acc.a.tasks.all() {
		sameExecutor := t.framework == acc.f &&
			t.info.GetExecutorId().GetValue() == group.GetExecutor().GetExecutorId().GetValue()
		if sameExecutor && sharesCgroups(t.info.GetContainer()) != sharesCgroups(tasks[0].Container) {
			return errMixedCgroups
		}
	}
	return nil
}

var errMixedCgroups = errors.New("'share_cgroups' must be the same for all tasks of an executor")
