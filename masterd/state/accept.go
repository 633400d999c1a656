package state

import (
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// acceptance is one ACCEPT under way: valid offers of one agent, and what is
// left of them while its operations are done in order.
type acceptance struct {
	f    *framework
	a    *agent
	role string
	// offered is what the offers had, remaining what later operations may use.
	offered, remaining resources.Resources
	// resized are volumes that changed their size, and the disk that came off
	// them.
	resized resources.Resources
	// shared are the shared volumes, in use or not.
	shared resources.Resources
}

// accept does what a framework wants with offers. What its operations leave
// over counts as declined.
func (m *Machine) accept(f *framework, call *scheduler.Call_Accept) {
	m.countAccept(call)
	if err := m.validateOffers(f, call.GetOfferIds()); err != nil {
		m.refuseAccept(f, call, err)
		return
	}
	acc := m.takeOffers(f, call.GetOfferIds())
	admitted := make([]*mesos.Offer_Operation, 0, len(call.GetOperations()))
	for _, o := range call.GetOperations() {
		if m.admitOperation(acc, o) {
			admitted = append(admitted, o)
		}
	}
	for _, o := range admitted {
		m.operate(acc, o)
	}
	m.settle(acc, orDefault(call.Filters))
}

func (m *Machine) countAccept(call *scheduler.Call_Accept) {
	for _, o := range call.GetOperations() {
		if o.GetType() != mesos.Offer_Operation_LAUNCH {
			continue
		}
		if len(o.GetLaunch().GetTaskInfos()) > 0 {
			m.stats.Messages[MessageLaunchTasks]++
		} else {
			m.stats.Messages[MessageDeclineOffers]++
		}
	}
}

// takeOffers turns offers into the resources that an ACCEPT may use.
func (m *Machine) takeOffers(f *framework, ids []*mesos.OfferID) *acceptance {
	first := m.offers[OfferID(ids[0].GetValue())]
	acc := &acceptance{f: f, a: first.agent, role: first.role}
	for _, id := range ids {
		o := m.offers[OfferID(id.GetValue())]
		acc.remaining = acc.remaining.Add(o.resources)
		m.removeOffer(o)
		f.stats.OffersAccepted++
	}
	acc.offered, acc.shared = acc.remaining, acc.remaining.Shared()
	return acc
}

// refuseAccept answers an ACCEPT of offers that are not there any more, or not
// the framework's, or don't go together. Those that are its own are given back.
func (m *Machine) refuseAccept(f *framework, call *scheduler.Call_Accept, reason error) {
	m.warn("ACCEPT of invalid offers", "framework_id", f.id, "reason", reason.Error())
	for _, id := range call.GetOfferIds() {
		if o := m.offers[OfferID(id.GetValue())]; o != nil && o.framework == f {
			m.discard(o, nil)
		}
	}
	for _, o := range call.GetOperations() {
		tasks, isLaunch := launched(o)
		if !isLaunch {
			m.dropOperation(f, o, "Not done, for its offers are invalid: "+reason.Error())
			continue
		}
		m.refuseTasks(f, tasks, report{
			state:   f.lostState(mesos.TaskState_TASK_DROPPED),
			reason:  mesos.TaskStatus_REASON_INVALID_OFFERS.Enum(),
			message: "Not launched, for its offers are invalid: " + reason.Error(),
		})
	}
}

// launched returns the tasks that an operation launches, and whether it is of
// a kind that does.
func launched(o *mesos.Offer_Operation) (tasks []*mesos.TaskInfo, isLaunch bool) {
	switch o.GetType() {
	case mesos.Offer_Operation_LAUNCH:
		return o.GetLaunch().GetTaskInfos(), true
	case mesos.Offer_Operation_LAUNCH_GROUP:
		return o.GetLaunchGroup().GetTaskGroup().GetTasks(), true
	}
	return nil, false
}

// operate does one operation of an ACCEPT.
func (m *Machine) operate(acc *acceptance, o *mesos.Offer_Operation) {
	switch o.GetType() {
	case mesos.Offer_Operation_LAUNCH:
		acc.f.countOperation(o.GetType())
		for _, t := range o.GetLaunch().GetTaskInfos() {
			m.launch(acc, t)
		}
	case mesos.Offer_Operation_LAUNCH_GROUP:
		acc.f.countOperation(o.GetType())
		m.launchGroup(acc, o.GetLaunchGroup())
	case mesos.Offer_Operation_CREATE_DISK, mesos.Offer_Operation_DESTROY_DISK:
		m.convertDisk(acc, o)
	case mesos.Offer_Operation_UNKNOWN:
		m.warn("ignoring an operation of a type that is not known", "framework_id", acc.f.id)
	default:
		m.convert(acc, o)
	}
}

func (f *framework) countOperation(t mesos.Offer_Operation_Type) {
	if t >= 0 && int(t) < len(f.stats.Operations) {
		f.stats.Operations[t]++
	}
}

// taskError is the report on a task that must not be launched.
func taskError(reason mesos.TaskStatus_Reason, err error) report {
	return report{state: mesos.TaskState_TASK_ERROR, reason: &reason, message: err.Error()}
}

// refuseTasks tells a framework that tasks were not launched.
func (m *Machine) refuseTasks(f *framework, tasks []*mesos.TaskInfo, r report) {
	m.warn("refusing a launch", "framework_id", f.id, "tasks", len(tasks), "reason", r.message)
	for _, t := range tasks {
		status := m.status(t.GetTaskId(), t.GetAgentId(), r)
		m.countEnd(status.GetState(), status)
		m.sendEvent(f, updateEvent(status))
	}
}
