package engine

import (
	"context"
	"slices"

	"github.com/mesos-operator/mesos-operator/agentd/state"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/acl"
	"github.com/mesos-operator/mesos-operator/internal/auth"
	"github.com/mesos-operator/mesos-operator/internal/files"
)

// mayReadSandbox decides about the sandboxes of an executor: by the user that it
// runs as, its framework's if it names none. One that the agent doesn't remember
// any more, or that has no executor, is any sandbox.
func (e *Engine) mayReadSandbox(frameworkID, executorID string) files.Authorizer {
	return func(ctx context.Context) (bool, error) {
		access := e.cfg.Authorizer.For(auth.FromContext(ctx)).To(acl.AccessSandbox)
		if access.Always() || access.Never() {
			return access.Always(), nil
		}
		view, err := e.View(ctx)
		if err != nil {
			return false, err
		}
		return access.Allow(userOf(view, frameworkID, executorID)), nil
	}
}

func userOf(v *state.View, frameworkID, executorID string) acl.Object {
	for _, f := range slices.Concat(v.Frameworks, v.Completed) {
		if f.ID != frameworkID {
			continue
		}
		info := &mesos.ExecutorInfo{}
		for _, e := range slices.Concat(f.Executors, f.Completed) {
			if e.ID == executorID {
				info = e.Info
			}
		}
		return acl.UserOfExecutor(info, f.Info)
	}
	return acl.Any
}
