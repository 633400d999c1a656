package state

import (
	"slices"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// doneTasks are the completed tasks of one framework: their keys in the published
// table, oldest first, which is in ascending order, and by task ID, which may have
// been used more than once.
type doneTasks struct {
	keys []uint64
	byID map[TaskID][]uint64
}

// push appends a task.
func (d *doneTasks) push(key uint64, id TaskID) {
	d.keys = append(d.keys, key)
	if d.byID == nil {
		d.byID = map[TaskID][]uint64{}
	}
	d.byID[id] = append(d.byID[id], key)
}

// shift takes the oldest task out. id is its own.
func (d *doneTasks) shift(id TaskID) {
	d.keys = d.keys[1:]
	if same := d.byID[id]; len(same) > 1 {
		d.byID[id] = same[1:]
	} else {
		delete(d.byID, id)
	}
}

// remove takes all tasks of an ID out and returns their keys.
func (d *doneTasks) remove(id TaskID) []uint64 {
	keys := d.byID[id]
	delete(d.byID, id)
	for _, key := range keys {
		if i, found := slices.BinarySearch(d.keys, key); found {
			d.keys = slices.Delete(d.keys, i, i+1)
		}
	}
	return keys
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

// completeTask remembers a task after its end.
func (m *Machine) completeTask(f *framework, info *mesos.Task) {
	if m.cfg.MaxCompletedTasksPerFramework == 0 {
		return
	}
	m.published.nextCompleted++
	key := m.published.nextCompleted
	m.published.completedTasks.put(key, info)
	f.done.push(key, TaskID(info.GetTaskId().GetValue()))
	if len(f.done.keys) > m.cfg.MaxCompletedTasksPerFramework {
		oldest := f.done.keys[0]
		f.done.shift(TaskID(m.published.completedTasks.get(oldest).GetTaskId().GetValue()))
		m.published.completedTasks.drop(oldest)
	}
}

// uncomplete forgets that a task ended which its agent still has: we declared
// it lost, and were wrong.
func (m *Machine) uncomplete(t *task) {
	for _, key := range t.framework.done.remove(t.key.Task) {
		m.published.completedTasks.drop(key)
	}
}
