package sim

import (
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// shape is what a framework is like for all its life.
type shape struct {
	// aware says that it is partition-aware, driver that it speaks the native
	// driver's dialect.
	aware, driver bool
	// plain frameworks have one role and no capabilities.
	plain bool
	// org names roles in a tree; without them a framework has one of its own
	// and one that it shares.
	org []string
	// failover is its failover timeout.
	failover time.Duration
	// fickle frameworks suppress and revive, leave roles and come back.
	fickle bool
	// sharing frameworks understand shared volumes.
	sharing bool
}

const week = 7 * 24 * time.Hour

var shapes = []shape{
	{aware: true, failover: week, sharing: true},
	{aware: true, driver: true, failover: week},
	{failover: week},
	{aware: true, org: []string{"org", "org/a"}, failover: 20 * time.Second, sharing: true},
	{aware: true, driver: true, org: []string{"org/a", "org/b"}, failover: week, fickle: true},
	{plain: true, driver: true, failover: week},
	{aware: true, org: []string{"org/b", "shared"}, failover: week, fickle: true, sharing: true},
}

// allRoles are the roles that a framework is subscribed to at times.
func (f *framework) allRoles() []string {
	switch {
	case f.plain:
		return []string{"shared"}
	case f.org != nil:
		return f.org
	}
	return []string{f.node, "shared"}
}

func (f *framework) info() *mesos.FrameworkInfo {
	info := &mesos.FrameworkInfo{
		User: new("u"), Name: &f.node, Id: f.id, FailoverTimeout: new(f.shape.failover.Seconds()), Checkpoint: new(true),
	}
	if f.plain {
		info.Role = &f.roles[0]
		return info
	}
	info.Roles = f.roles
	caps := []mesos.FrameworkInfo_Capability_Type{
		mesos.FrameworkInfo_Capability_MULTI_ROLE, mesos.FrameworkInfo_Capability_RESERVATION_REFINEMENT,
	}
	if f.aware {
		caps = append(caps, mesos.FrameworkInfo_Capability_PARTITION_AWARE)
	}
	if f.sharing {
		caps = append(caps, mesos.FrameworkInfo_Capability_SHARED_RESOURCES)
	}
	for _, c := range caps {
		info.Capabilities = append(info.Capabilities, &mesos.FrameworkInfo_Capability{Type: c.Enum()})
	}
	return info
}

// understood is what a framework reads in an offer. A plain one must not be
// told of allocations and reservation stacks, which it doesn't know.
func (f *framework) understood(o *mesos.Offer) resources.Resources {
	if !f.plain {
		return resources.Of(o.GetResources()...)
	}
	var list []*mesos.Resource
	for _, r := range o.GetResources() {
		if r.AllocationInfo != nil || len(r.Reservations) > 0 || o.AllocationInfo != nil {
			f.sim.fail("%s is offered %v, which it does not understand", f.node, r)
		}
		list = append(list, proto.CloneOf(r))
	}
	resources.Upgrade(list)
	return resources.Of(list...)
}

// changeMind lets a fickle framework suppress or revive, or change its roles.
func (f *framework) changeMind() {
	if !f.fickle || !f.sim.troubled() {
		return
	}
	role := []string{f.roles[f.sim.rng.IntN(len(f.roles))]}
	switch f.sim.rng.IntN(5) {
	case 0:
		f.sim.stats.Suppressed++
		f.call(&scheduler.Call{Type: scheduler.Call_SUPPRESS.Enum(), Suppress: &scheduler.Call_Suppress{Roles: role}})
	case 1:
		f.call(&scheduler.Call{Type: scheduler.Call_SUPPRESS.Enum(), Suppress: &scheduler.Call_Suppress{}})
	case 2:
		f.call(&scheduler.Call{Type: scheduler.Call_REVIVE.Enum(), Revive: &scheduler.Call_Revive{Roles: role}})
	case 3:
		f.call(&scheduler.Call{Type: scheduler.Call_REVIVE.Enum(), Revive: &scheduler.Call_Revive{}})
	case 4:
		f.changeRoles()
	}
}

// changeRoles leaves all roles but one, or comes back to them.
func (f *framework) changeRoles() {
	all := f.allRoles()
	if len(f.roles) < len(all) {
		f.roles = all
	} else {
		f.roles = slices.Clone(all[f.sim.rng.IntN(len(all)):][:1])
	}
	f.sim.note("%s changes its roles to %v", f.node, f.roles)
	f.sim.stats.RoleChanges++
	f.call(&scheduler.Call{Type: scheduler.Call_UPDATE_FRAMEWORK.Enum(), UpdateFramework: &scheduler.Call_UpdateFramework{
		FrameworkInfo: f.info(), SuppressedRoles: f.roles[:f.sim.rng.IntN(2)],
	}})
}

// startOver begins as another framework, after this one was removed for its
// being away too long. What it ran is none of its business any more.
func (f *framework) startOver() {
	f.sim.note("%s starts over", f.node)
	f.sim.stats.Removed++
	f.id = nil
	for _, t := range f.order {
		t.ended = true
	}
}

// repeatableCall says whether the master has to bear getting a call twice. The
// second ACCEPT of an offer would rightly be refused, and its tasks with it.
func repeatableCall(c *scheduler.Call) bool {
	switch c.GetType() {
	case scheduler.Call_DECLINE, scheduler.Call_KILL, scheduler.Call_ACKNOWLEDGE, scheduler.Call_RECONCILE,
		scheduler.Call_SUPPRESS, scheduler.Call_REVIVE:
		return true
	}
	return false
}
