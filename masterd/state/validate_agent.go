package state

import (
	"errors"
	"fmt"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// checkReregistration checks what an agent says is on it, and brings its
// resources into the form that they have in memory.
func checkReregistration(msg *messages.ReregisterSlaveMessage) error {
	info := msg.GetSlave()
	if info.GetId().GetValue() == "" {
		return errors.New("it has no ID")
	}
	if err := upgradeAgent(info, msg.GetCheckpointedResources()); err != nil {
		return err
	}
	frameworks := make(map[string]bool, len(msg.GetFrameworks()))
	for _, f := range msg.GetFrameworks() {
		id := f.GetId().GetValue()
		if frameworks[id] {
			return fmt.Errorf("framework '%s' is listed twice", id)
		}
		if err := validateFrameworkInfo(f); err != nil {
			return fmt.Errorf("framework '%s': %w", id, err)
		}
		frameworks[id] = true
	}
	executors, err := checkExecutors(msg.GetExecutorInfos(), frameworks)
	if err != nil {
		return err
	}
	return checkTasks(msg, frameworks, executors)
}

func checkExecutors(list []*mesos.ExecutorInfo, frameworks map[string]bool) (map[[2]string]bool, error) {
	known := make(map[[2]string]bool, len(list))
	for _, e := range list {
		key := [2]string{e.GetFrameworkId().GetValue(), e.GetExecutorId().GetValue()}
		if known[key] {
			return nil, fmt.Errorf("executor '%s' of framework '%s' is listed twice", key[1], key[0])
		}
		if !frameworks[key[0]] {
			return nil, fmt.Errorf("executor '%s' is of a framework '%s' that is not listed", key[1], key[0])
		}
		err := validateExecutorInfo(e)
		if err == nil {
			err = upgrade(e.GetResources())
		}
		if err != nil {
			return nil, fmt.Errorf("executor '%s': %w", key[1], err)
		}
		known[key] = true
	}
	return known, nil
}

func checkTasks(msg *messages.ReregisterSlaveMessage, frameworks map[string]bool, executors map[[2]string]bool) error {
	for _, t := range msg.GetTasks() {
		id, framework := t.GetTaskId().GetValue(), t.GetFrameworkId().GetValue()
		err := validateID(id)
		switch {
		case err != nil:
		case t.GetAgentId().GetValue() != msg.GetSlave().GetId().GetValue():
			err = fmt.Errorf("it is on another agent, '%s'", t.GetAgentId().GetValue())
		case !knownState(t.GetState()):
			err = fmt.Errorf("its state %d is not known", t.GetState())
		case !frameworks[framework]:
			err = fmt.Errorf("its framework '%s' is not listed", framework)
		case t.ExecutorId != nil && t.GetState() == mesos.TaskState_TASK_RUNNING &&
			!executors[[2]string{framework, t.ExecutorId.GetValue()}]:
			err = fmt.Errorf("its executor '%s' is not listed", t.ExecutorId.GetValue())
		default:
			err = upgrade(t.GetResources())
		}
		if err != nil {
			return fmt.Errorf("task '%s': %w", id, err)
		}
	}
	return nil
}
