package state

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	v0 "github.com/mesos-operator/mesos-operator/api/mesos/v0/scheduler"
)

// Machine is a master. See the package comment for how to drive one.
type Machine struct {
	cfg Config
	out []Effect
	now time.Time

	view View
}

// New returns a machine that waits for Recovered. The config must be valid.
func New(cfg Config) *Machine {
	return &Machine{cfg: cfg, view: View{Master: cfg.Master}}
}

// Step takes one input in and returns what has to be done about it. The time
// must not run backwards between Steps; the monotonic clock of time.Now will
// do. The slice is the caller's until the next Step.
func (m *Machine) Step(in Input, now time.Time) []Effect {
	m.out, m.now = m.out[:0], now
	m.step(in)
	return m.out
}

func (m *Machine) emit(e Effect) { m.out = append(m.out, e) }

// step follows with the handlers.
func (m *Machine) step(Input) {}

// View returns the state as it is after the last Step.
func (m *Machine) View() *View {
	v := m.view
	return &v
}

// Accepts returns an empty message of every type that PeerMessage may carry,
// for whoever has to decode them by name.
func Accepts() []proto.Message {
	return []proto.Message{
		(*v0.Call)(nil),
		(*messages.RegisterFrameworkMessage)(nil),
		(*messages.ReregisterFrameworkMessage)(nil),
		(*messages.UnregisterFrameworkMessage)(nil),
		(*messages.DeactivateFrameworkMessage)(nil),
		(*messages.ResourceRequestMessage)(nil),
		(*messages.LaunchTasksMessage)(nil),
		(*messages.ReviveOffersMessage)(nil),
		(*messages.KillTaskMessage)(nil),
		(*messages.StatusUpdateAcknowledgementMessage)(nil),
		(*messages.FrameworkToExecutorMessage)(nil),
		(*messages.ReconcileTasksMessage)(nil),
		(*messages.RegisterSlaveMessage)(nil),
		(*messages.ReregisterSlaveMessage)(nil),
		(*messages.UnregisterSlaveMessage)(nil),
		(*messages.UpdateSlaveMessage)(nil),
		(*messages.StatusUpdateMessage)(nil),
		(*messages.ExecutorToFrameworkMessage)(nil),
		(*messages.ExitedExecutorMessage)(nil),
		(*messages.PongSlaveMessage)(nil),
	}
}
