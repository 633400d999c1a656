package state

import (
	"time"
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
