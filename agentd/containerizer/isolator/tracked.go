package isolator

import (
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/launch"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/pending"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Tracked puts an isolator's calls on a list while they last: all but Watch, which
// lasts as long as the container, and Limited, which only looks.
func Tracked(i Isolator, l *pending.List) Isolator { return &tracked{Isolator: i, list: l} }

type tracked struct {
	Isolator
	list *pending.List
}

func (t *tracked) begin(method string, c *Container) (end func()) {
	args := map[string]string{"containerId": string(c.ID)}
	if c.PID != 0 {
		args["pid"] = strconv.Itoa(c.PID)
	}
	return t.list.Begin(t.Name()+"::"+method, args)
}

func (t *tracked) Prepare(c *Container, d Demand, spec *specs.Spec) error {
	defer t.begin("prepare", c)()
	return t.Isolator.Prepare(c, d, spec)
}

// StageMounts implements Stager for those isolators that do.
func (t *tracked) StageMounts(c *Container) []launch.Mount {
	if s, ok := t.Isolator.(Stager); ok {
		return s.StageMounts(c)
	}
	return nil
}

// Attach has the name of Mesos's method that comes at this time.
func (t *tracked) Attach(c *Container, again bool) error {
	defer t.begin("isolate", c)()
	return t.Isolator.Attach(c, again)
}

func (t *tracked) Update(c *Container, d Demand, r *specs.LinuxResources) error {
	defer t.begin("update", c)()
	return t.Isolator.Update(c, d, r)
}

func (t *tracked) Usage(c *Container, s *mesos.ResourceStatistics) error {
	defer t.begin("usage", c)()
	return t.Isolator.Usage(c, s)
}

func (t *tracked) Status(c *Container, s *mesos.ContainerStatus) error {
	defer t.begin("status", c)()
	return t.Isolator.Status(c, s)
}

func (t *tracked) Cleanup(c *Container) error {
	defer t.begin("cleanup", c)()
	return t.Isolator.Cleanup(c)
}
