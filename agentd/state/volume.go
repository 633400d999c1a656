package state

import (
	"path"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// ShownVolume is a persistent volume and where it is seen in an executor's sandbox.
type ShownVolume struct {
	Name   string
	Volume *mesos.Resource
}

// showVolumes has /files show a task's persistent volumes, and those of its executor,
// where the task sees them. A link in a sandbox doesn't do: /files leaves a sandbox by
// none.
func (m *Machine) showVolumes(r *run, task string, rs []*mesos.Resource, c *mesos.ContainerInfo) {
	var shown []ShownVolume
	show := func(v *mesos.Resource, names ...string) {
		for _, name := range names {
			if !path.IsAbs(name) {
				shown = append(shown, ShownVolume{Name: path.Clean(name), Volume: v})
			}
		}
	}
	of := func(v *mesos.Resource) string { return v.GetDisk().GetVolume().GetContainerPath() }
	inTask := func(name string) string { return path.Join("tasks", task, name) }
	group := r.info.GetType() == mesos.ExecutorInfo_DEFAULT
	for _, v := range persistentVolumes(rs) {
		show(v, of(v))
		if group && !path.IsAbs(of(v)) {
			show(v, inTask(of(v)))
		}
	}
	for _, v := range persistentVolumes(r.info.GetResources()) {
		show(v, of(v))
		for _, mounted := range c.GetVolumes() {
			s := mounted.GetSource().GetSandboxPath()
			if group && s.GetType() == mesos.Volume_Source_SandboxPath_PARENT && s.GetPath() == of(v) && !path.IsAbs(mounted.GetContainerPath()) {
				show(v, inTask(mounted.GetContainerPath()))
			}
		}
	}
	if len(shown) > 0 {
		m.do(VolumesShown{
			AgentID: m.agentID(), FrameworkID: r.framework.id, ExecutorID: r.id, Container: r.container, Volumes: shown,
		})
	}
}

func persistentVolumes(rs []*mesos.Resource) []*mesos.Resource {
	var out []*mesos.Resource
	for _, r := range rs {
		if r.GetDisk().GetPersistence() != nil && r.GetDisk().GetVolume() != nil {
			out = append(out, r)
		}
	}
	return out
}
