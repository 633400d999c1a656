package oversubscription

import (
	"context"

	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// Usage is what runs on an agent.
type Usage struct {
	// Executors are those with a container.
	Executors []Executor
}

// Executor is one of them, with its tasks.
type Executor struct {
	Framework, ID string
	// Container is the ID of its container.
	Container string
	// Allocated is what it and its tasks may use, with the roles that it is
	// allocated to.
	Allocated resources.Resources
}

// Kill says that an executor has to go. An ID alone could mean one that came
// later under the same name, therefore the container.
type Kill struct{ Framework, Executor, Container string }

// Estimator says what an agent may lend beyond what it lends already.
type Estimator interface {
	// Oversubscribable returns revocable resources that are not allocated. An
	// error leaves it at the last estimate.
	Oversubscribable(context.Context, Usage) (resources.Resources, error)
}

// Controller keeps the quality of service of what runs on the agent's own
// resources.
type Controller interface {
	// Corrections returns what to end; none if all is well.
	Corrections(context.Context, Usage) ([]Kill, error)
}
