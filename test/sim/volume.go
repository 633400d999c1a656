package sim

import (
	"fmt"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// What frameworks do with persistent volumes: they make them of reserved disk,
// shared ones too if they know about these, give them to tasks, change their size,
// and destroy them.

// volumes are the persistent volumes that were seen in offers, by persistence ID,
// which the simulation never uses twice.
type volumes map[string]*volume

// volume is where one was seen. Once somebody has asked to destroy it, it may be
// gone.
type volume struct {
	agent     *mesos.AgentID
	destroyed bool
}

// seen notes the volumes of an offer that its agent has. A master offers them as
// soon as it has told the agent, who may never hear it.
func (v volumes) seen(s *sim, o *mesos.Offer) {
	for _, r := range o.GetResources() {
		id := r.GetDisk().GetPersistence().GetId()
		if id != "" && v[id] == nil && s.agentHasVolume(o.GetAgentId(), id) {
			v[id] = &volume{agent: o.GetAgentId()}
		}
	}
}

func (s *sim) agentHasVolume(agent *mesos.AgentID, id string) bool {
	for _, a := range s.agents {
		if a.machine == nil || a.machine.View().Agent.GetId().GetValue() != agent.GetValue() {
			continue
		}
		for _, r := range a.machine.View().Total {
			if r.GetDisk().GetPersistence().GetId() == id {
				return true
			}
		}
	}
	return false
}

// destroying notes that a volume may go.
func (v volumes) destroying(list []*mesos.Resource) {
	for _, r := range list {
		v[r.GetDisk().GetPersistence().GetId()] = &volume{destroyed: true}
	}
}

// onVolume makes an operation of a volume: it grows by what else there is, shrinks,
// or is destroyed.
func (f *framework) onVolume(it resources.Item, left resources.Resources) *mesos.Offer_Operation {
	v := it.Resources().Proto()[0]
	switch choice := f.sim.rng.IntN(4); {
	case choice == 0 && !it.IsShared():
		if addition := f.additionTo(it, left); addition != nil {
			f.sim.stats.Resized++
			return &mesos.Offer_Operation{
				Type:       mesos.Offer_Operation_GROW_VOLUME.Enum(),
				GrowVolume: &mesos.Offer_Operation_GrowVolume{Volume: v, Addition: addition},
			}
		}
	case choice == 1 && !it.IsShared() && it.Scalar() > 250:
		f.sim.stats.Resized++
		return &mesos.Offer_Operation{
			Type: mesos.Offer_Operation_SHRINK_VOLUME.Enum(),
			ShrinkVolume: &mesos.Offer_Operation_ShrinkVolume{
				Volume: v, Subtract: &mesos.Value_Scalar{Value: new(0.125)},
			},
		}
	case choice == 2:
		f.sim.volumes.destroying([]*mesos.Resource{v})
		return &mesos.Offer_Operation{
			Type: mesos.Offer_Operation_DESTROY.Enum(), Destroy: &mesos.Offer_Operation_Destroy{Volumes: []*mesos.Resource{v}},
		}
	}
	return nil
}

// additionTo is some disk of the kind that a volume was made of, nil if there is
// none left.
func (f *framework) additionTo(volume resources.Item, left resources.Resources) *mesos.Resource {
	made := volume.Resources().Proto()[0]
	made.Disk, made.Shared = nil, nil
	for it := range left.All() {
		if it.Name() != "disk" || it.Disk() != nil {
			continue
		}
		if resources.Of(made).Add(it.Resources()).Len() != 1 {
			continue
		}
		if part, ok := it.Shrink(250); ok {
			return part.Resources().Proto()[0]
		}
	}
	return nil
}

// create makes a volume of reserved disk.
func (f *framework) create(disk []*mesos.Resource) *mesos.Offer_Operation {
	f.operationSerial++
	disk[0].Disk = &mesos.Resource_DiskInfo{
		Persistence: &mesos.Resource_DiskInfo_Persistence{Id: new(fmt.Sprintf("%s-v%d", f.node, f.operationSerial))},
		Volume:      &mesos.Volume{ContainerPath: new("data"), Mode: mesos.Volume_RW.Enum()},
	}
	if f.sharing && f.sim.chance(0.5) {
		disk[0].Shared = &mesos.Resource_SharedInfo{}
		f.sim.stats.Shared++
	}
	return &mesos.Offer_Operation{
		Type: mesos.Offer_Operation_CREATE.Enum(), Create: &mesos.Offer_Operation_Create{Volumes: disk},
	}
}

// mount takes a volume of what is left, if there is one, for a task. A shared one
// stays for others.
func (f *framework) mount(left *resources.Resources) []*mesos.Resource {
	for it := range left.All() {
		if !it.IsPersistentVolume() || f.sim.chance(0.3) {
			continue
		}
		if !it.IsShared() {
			*left = left.Subtract(it.Resources())
		}
		f.sim.stats.Mounted++
		return it.One().Proto()
	}
	return nil
}

// checkAmounts: whatever is reserved, made a volume or resized, an agent has as
// much as it began with.
func (m *master) checkAmounts(a *state.Agent) {
	if has := m.parse(a.Total).Amounts().String(); has != agentAmounts {
		m.sim.fail("agent %s has %s, and began with %s", a.ID, has, agentAmounts)
	}
}

// checkVolumes: what was there once, and nobody wanted to have destroyed, is there.
func (s *sim) checkVolumes() {
	there := map[string]bool{}
	registered := map[string]bool{}
	for a := range s.master.machine.View().Agents.All() {
		registered[string(a.ID)] = true
		for it := range resources.Of(a.Total...).PersistentVolumes().All() {
			there[it.Disk().GetPersistence().GetId()] = true
		}
	}
	for id, v := range s.volumes {
		if !v.destroyed && !there[id] && registered[v.agent.GetValue()] {
			s.fail("volume %s of agent %s is lost", id, v.agent.GetValue())
		}
	}
}
