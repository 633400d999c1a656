package sim

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	v0 "github.com/mesos-operator/mesos-operator/api/mesos/v0/scheduler"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
)

// pid is where a driver's framework is, in each life at another place.
func (f *framework) pid() string { return fmt.Sprintf("scheduler-%d@10.0.2.1:4%s", f.life, f.node[1:]) }

func (f *framework) nodeName() string { return f.node }

// driverCall sends a call as drivers do.
func (f *framework) driverCall(c *scheduler.Call) {
	call := &v0.Call{
		FrameworkId: c.FrameworkId, Type: c.Type, Accept: c.Accept, Decline: c.Decline, Kill: c.Kill,
		Acknowledge: c.Acknowledge, Reconcile: c.Reconcile, Suppress: c.Suppress, Revive: c.Revive,
		UpdateFramework: c.UpdateFramework,
	}
	if s := c.Subscribe; s != nil {
		call.Subscribe = &v0.Call_Subscribe{FrameworkInfo: s.FrameworkInfo, Force: &f.failover}
	}
	from := f.pid()
	sent := carry(f.sim, call)
	master := f.master
	f.sim.net.send(f.node, master.node, func() { master.receive(from, master.pid, sent) })
}

// receive takes a message of the master, as the event that it is.
func (f *framework) receive(_, to string, m proto.Message) {
	if to != f.pid() {
		return // to an earlier life
	}
	e := &scheduler.Event{}
	switch m := m.(type) {
	case *messages.FrameworkRegisteredMessage:
		f.driverSubscribed(m.GetFrameworkId())
	case *messages.FrameworkReregisteredMessage:
		f.driverSubscribed(m.GetFrameworkId())
	case *messages.ResourceOffersMessage:
		if len(m.GetPids()) != len(m.GetOffers()) {
			f.sim.fail("%d offers come with %d PIDs", len(m.GetOffers()), len(m.GetPids()))
		}
		e.Type, e.Offers = scheduler.Event_OFFERS.Enum(), &scheduler.Event_Offers{Offers: m.GetOffers()}
	case *messages.StatusUpdateMessage:
		e.Type = scheduler.Event_UPDATE.Enum()
		e.Update = &scheduler.Event_Update{Status: driverStatus(m)}
	case *messages.FrameworkErrorMessage:
		// A driver aborts, and its framework starts another.
		f.sim.note("%s: error %q", f.node, m.GetMessage())
		if strings.Contains(m.GetMessage(), "removed") {
			f.startOver()
		}
		f.crash()
	}
	if e.Type != nil {
		f.event(f.stream, e)
	}
}

func (f *framework) driverSubscribed(id *mesos.FrameworkID) {
	f.failover = false
	f.event(f.stream, &scheduler.Event{
		Type: scheduler.Event_SUBSCRIBED.Enum(), Subscribed: &scheduler.Event_Subscribed{FrameworkId: id},
	})
}

// driverStatus is the status of an update as a driver hands it on: with a UUID
// only if it is to be acknowledged.
func driverStatus(m *messages.StatusUpdateMessage) *mesos.TaskStatus {
	s := m.GetUpdate().GetStatus()
	s.Uuid = nil
	if m.GetPid() != "" {
		s.Uuid = m.GetUpdate().GetUuid()
	}
	return s
}
