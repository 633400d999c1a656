package acl

import (
	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Want is leave that something needs.
type Want struct {
	Action Action
	Object Object
}

// MayAll says whether all leave is given.
func (g *Grants) MayAll(wants []Want) bool {
	for _, w := range wants {
		if !g.May(w.Action, w.Object) {
			return false
		}
	}
	return true
}

// Each is leave for one action on several things; if there are none, on any.
func Each[T any](action Action, things []T, object func(T) Object) []Want {
	if len(things) == 0 {
		return []Want{{action, Any}}
	}
	wants := make([]Want, 0, len(things))
	for _, thing := range things {
		wants = append(wants, Want{action, object(thing)})
	}
	return wants
}

// WantsOf is the leave that an operation on resources needs. Launches need
// RunTask for each task, which is not among it.
func WantsOf(o *mesos.Offer_Operation) []Want {
	switch o.GetType() {
	case mesos.Offer_Operation_RESERVE:
		return wantsOfReserve(o.GetReserve().GetSource(), o.GetReserve().GetResources())
	case mesos.Offer_Operation_UNRESERVE:
		return Each(UnreserveResources, o.GetUnreserve().GetResources(), Reserver)
	case mesos.Offer_Operation_CREATE:
		return Each(CreateVolume, o.GetCreate().GetVolumes(), ReservedRole)
	case mesos.Offer_Operation_DESTROY:
		return Each(DestroyVolume, o.GetDestroy().GetVolumes(), Creator)
	case mesos.Offer_Operation_GROW_VOLUME:
		return []Want{{ResizeVolume, ReservedRole(o.GetGrowVolume().GetVolume())}}
	case mesos.Offer_Operation_SHRINK_VOLUME:
		return []Want{{ResizeVolume, ReservedRole(o.GetShrinkVolume().GetVolume())}}
	case mesos.Offer_Operation_CREATE_DISK:
		action := CreateMountDisk
		if o.GetCreateDisk().GetTargetType() == mesos.Resource_DiskInfo_Source_BLOCK {
			action = CreateBlockDisk
		}
		return []Want{{action, ReservedRole(o.GetCreateDisk().GetSource())}}
	case mesos.Offer_Operation_DESTROY_DISK:
		source := o.GetDestroyDisk().GetSource()
		action := DestroyMountDisk
		switch source.GetDisk().GetSource().GetType() {
		case mesos.Resource_DiskInfo_Source_BLOCK:
			action = DestroyBlockDisk
		case mesos.Resource_DiskInfo_Source_RAW:
			action = DestroyRawDisk
		}
		return []Want{{action, ReservedRole(source)}}
	}
	return nil
}

// WantsOfAgent is the leave that an agent needs to register: static
// reservations are made by its flags.
func WantsOfAgent(info *mesos.AgentInfo) []Want {
	wants := []Want{{RegisterAgent, Any}}
	for _, r := range info.GetResources() {
		if len(r.Reservations) > 0 || r.Role != nil && r.GetRole() != "*" {
			return append(wants, Each(ReserveResources, info.GetResources(), ReservedRole)...)
		}
	}
	return wants
}

// wantsOfReserve is reserving for each role; with a source also taking away the
// reservations of it that the result doesn't have. Reservations that both begin
// with stay, and need no leave.
func wantsOfReserve(source, result []*mesos.Resource) []Want {
	if len(source) == 0 {
		return Each(ReserveResources, result, ReservedRole)
	}
	kept := commonDepth(source, result)
	var wants []Want
	for _, r := range source {
		for _, reservation := range r.Reservations[min(kept, len(r.Reservations)):] {
			wants = append(wants, Want{UnreserveResources, principalOf(reservation)})
		}
	}
	for _, r := range result {
		for _, reservation := range r.Reservations[min(kept, len(r.Reservations)):] {
			wants = append(wants, Want{ReserveResources, Role(reservation.GetRole())})
		}
	}
	return wants
}

// commonDepth is how many reservations all resources begin with.
func commonDepth(source, result []*mesos.Resource) int {
	first := source[0].Reservations
	depth := len(first)
	for _, list := range [][]*mesos.Resource{source, result} {
		for _, r := range list {
			same := 0
			for same < min(depth, len(r.Reservations)) && proto.Equal(first[same], r.Reservations[same]) {
				same++
			}
			depth = same
		}
	}
	return depth
}
