package state

// fifo is a bounded queue of keys in a published table.
type fifo struct{ keys []uint64 }

// push appends a key and returns the oldest if there are more than limit then.
func (q *fifo) push(key uint64, limit int) (oldest uint64, full bool) {
	q.keys = append(q.keys, key)
	if len(q.keys) <= limit {
		return 0, false
	}
	oldest = q.keys[0]
	q.keys = q.keys[1:]
	return oldest, true
}

// completedFrameworks remembers frameworks after their end: an agent that
// comes back with one is told to shut it down, and its scheduler is refused.
type completedFrameworks struct {
	byID  map[FrameworkID]*framework
	order []FrameworkID
}

func (c *completedFrameworks) init() { c.byID = map[FrameworkID]*framework{} }

func (c *completedFrameworks) has(id FrameworkID) bool { return c.byID[id] != nil }

// complete puts an ended framework among the completed ones.
func (m *Machine) complete(f *framework) {
	m.published.frameworks.forget(&f.dirty)
	m.published.frameworkTable.drop(f.id)
	m.published.completedTable.put(f.id, f.record())
	m.completed.byID[f.id] = f
	m.completed.order = append(m.completed.order, f.id)
	for len(m.completed.order) > m.cfg.MaxCompletedFrameworks {
		m.forget(m.completed.byID[m.completed.order[0]])
		m.completed.order = m.completed.order[1:]
	}
}

// forget drops what is remembered of a completed framework.
func (m *Machine) forget(f *framework) {
	delete(m.completed.byID, f.id)
	m.published.completedTable.drop(f.id)
	for _, key := range f.done.keys {
		m.published.completedTasks.drop(key)
	}
}
