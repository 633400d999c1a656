package state

import (
	"fmt"
	"strings"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/acl"
)

// What ACLs allow that only the machine can tell: who may subscribe with which
// roles, register an agent, run tasks, and do operations in an ACCEPT. Calls of
// operators are authorized before they get here.

// grantsOf is what a framework may do: what its principal may.
func (m *Machine) grantsOf(info *mesos.FrameworkInfo) *acl.Grants {
	return m.cfg.Authorizer.ForName(info.GetPrincipal())
}

// mayHaveRoles says whether a framework may have all roles that it wants.
func (m *Machine) mayHaveRoles(info *mesos.FrameworkInfo) error {
	var objects []acl.Object
	roles := rolesOf(info)
	for _, role := range roles {
		objects = append(objects, acl.Role(role))
	}
	if m.grantsOf(info).To(acl.RegisterFramework).AllowEach(objects) {
		return nil
	}
	return fmt.Errorf("Not authorized to register framework '%s' with roles { %s }",
		info.GetId().GetValue(), strings.Join(roles, ", "))
}

// mayRegister says whether an agent may register with the resources it has.
func (m *Machine) mayRegister(principal string, info *mesos.AgentInfo) error {
	if m.cfg.Authorizer.ForName(principal).MayAll(acl.WantsOfAgent(info)) {
		return nil
	}
	return fmt.Errorf("principal '%s' is not authorized to register an agent with these resources", principal)
}

// mayOperate says whether a framework may do an operation.
func (m *Machine) mayOperate(f *framework, o *mesos.Offer_Operation) error {
	if m.grantsOf(f.info).MayAll(acl.WantsOf(o)) {
		return nil
	}
	return fmt.Errorf("principal '%s' is not authorized to %s", f.info.GetPrincipal(), o.GetType())
}

// mayRun says whether a framework may launch a task as the user that it names.
func (m *Machine) mayRun(f *framework, t *mesos.TaskInfo) error {
	run := m.grantsOf(f.info).To(acl.RunTask)
	if run.Always() || run.Allow(acl.UserOfTask(t, f.info)) {
		return nil
	}
	return fmt.Errorf("Task '%s' is not authorized to launch as user '%s'",
		t.GetTaskId().GetValue(), acl.UserOfTask(t, f.info))
}

// mayRunAll is mayRun for a group.
func (m *Machine) mayRunAll(f *framework, tasks []*mesos.TaskInfo) error {
	for _, t := range tasks {
		if err := m.mayRun(f, t); err != nil {
			return err
		}
	}
	return nil
}
