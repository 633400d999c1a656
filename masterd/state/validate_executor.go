package state

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// validateCustomExecutor checks the executor of a task that is launched on its
// own, and returns what it uses.
func (m *Machine) validateCustomExecutor(acc *acceptance, e *mesos.ExecutorInfo) (resources.Resources, error) {
	used, err := m.validateExecutor(acc, e)
	switch {
	case err != nil:
		return used, err
	case e.Type != nil && e.GetType() != mesos.ExecutorInfo_CUSTOM:
		return used, errors.New("the executor of a task outside of a group must be of type CUSTOM")
	case e.Command == nil:
		return used, errors.New("the executor needs 'command'")
	case !used.Shared().IsEmpty():
		return used, errors.New("an executor can't use shared resources")
	}
	return used, validateShareCgroups(e)
}

// validateExecutor checks what holds for every executor that a framework
// names.
func (m *Machine) validateExecutor(acc *acceptance, e *mesos.ExecutorInfo) (used resources.Resources, err error) {
	if err := validateExecutorInfo(e); err != nil {
		return used, err
	}
	if got := FrameworkID(e.GetFrameworkId().GetValue()); got != acc.f.id {
		return used, fmt.Errorf("the executor is of framework '%s', not '%s'", got, acc.f.id)
	}
	if used, err = validateUse(e.GetResources()); err != nil {
		return used, fmt.Errorf("the executor's resources: %w", err)
	}
	if known := m.executors[acc.executorKey(e)]; known != nil && !sameExecutor(known, e, used) {
		return used, fmt.Errorf("the executor ID '%s' is in use by a different executor", e.GetExecutorId().GetValue())
	}
	return used, nil
}

// sameExecutor says whether an executor that runs is the one that is asked
// for.
func sameExecutor(known *executor, e *mesos.ExecutorInfo, used resources.Resources) bool {
	if known.info == e {
		return true
	}
	return known.resources.Equal(used) && proto.Equal(withoutResources(known.info), withoutResources(e))
}

func withoutResources(e *mesos.ExecutorInfo) *mesos.ExecutorInfo {
	return &mesos.ExecutorInfo{
		ExecutorId:          e.ExecutorId,
		Data:                e.Data,
		Command:             e.Command,
		FrameworkId:         e.FrameworkId,
		Name:                e.Name,
		Source:              e.Source,
		Container:           e.Container,
		Discovery:           e.Discovery,
		ShutdownGracePeriod: e.ShutdownGracePeriod,
		Labels:              e.Labels,
		Type:                e.Type,
	}
}

// validateExecutorInfo checks what needs no knowledge of framework and agent.
func validateExecutorInfo(e *mesos.ExecutorInfo) error {
	switch e.GetType() {
	case mesos.ExecutorInfo_DEFAULT:
		switch {
		case e.Command != nil:
			return errors.New("an executor of type DEFAULT has no 'command'")
		case e.Container != nil && e.Container.GetType() != mesos.ContainerInfo_MESOS:
			return errors.New("the container of an executor of type DEFAULT must be of type MESOS")
		case e.GetContainer().GetMesos().GetImage() != nil:
			return errors.New("the container of an executor of type DEFAULT has no image")
		}
	case mesos.ExecutorInfo_CUSTOM:
		if e.Command == nil {
			return errors.New("an executor of type CUSTOM needs 'command'")
		}
	}
	if err := validateID(e.GetExecutorId().GetValue()); err != nil {
		return fmt.Errorf("executor ID: %w", err)
	}
	if e.GetShutdownGracePeriod().GetNanoseconds() < 0 {
		return errors.New("the executor's 'shutdown_grace_period' must not be negative")
	}
	if err := validateCommand(e.Command); err != nil {
		return fmt.Errorf("the executor's command: %w", err)
	}
	if err := validateContainer(e.Container); err != nil {
		return fmt.Errorf("the executor's container: %w", err)
	}
	return nil
}

func validateShareCgroups(e *mesos.ExecutorInfo) error {
	if l := e.GetContainer().GetLinuxInfo(); l != nil && l.ShareCgroups != nil && *l.ShareCgroups {
		return errors.New("'share_cgroups' can't be true for an executor")
	}
	return nil
}
