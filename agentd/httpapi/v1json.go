package httpapi

import "github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"

// appendResponse writes an answer of the operator API. Where Mesos answers from
// its state it writes lists also when they are empty, and clients index them;
// all other messages leave empty lists out.
func appendResponse(b []byte, r *agent.Response) []byte {
	w := &writer{b: b}
	var part func()
	switch {
	case r.GetTasks != nil:
		part = func() { w.object("get_tasks", func() { w.getTasks(r.GetTasks) }) }
	case r.GetExecutors != nil:
		part = func() { w.object("get_executors", func() { w.getExecutors(r.GetExecutors) }) }
	case r.GetFrameworks != nil:
		part = func() { w.object("get_frameworks", func() { w.getFrameworks(r.GetFrameworks) }) }
	case r.GetState != nil:
		part = func() {
			w.object("get_state", func() {
				w.object("get_tasks", func() { w.getTasks(r.GetState.GetTasks) })
				w.object("get_executors", func() { w.getExecutors(r.GetState.GetExecutors) })
				w.object("get_frameworks", func() { w.getFrameworks(r.GetState.GetFrameworks) })
			})
		}
	default:
		return r.AppendMesosJSON(b)
	}
	w.element(func() {
		w.string("type", r.GetType().String())
		part()
	})
	return w.b
}

func (w *writer) getTasks(t *agent.Response_GetTasks) {
	messageList(w, "pending_tasks", t.GetPendingTasks())
	messageList(w, "queued_tasks", t.GetQueuedTasks())
	messageList(w, "launched_tasks", t.GetLaunchedTasks())
	messageList(w, "terminated_tasks", t.GetTerminatedTasks())
	messageList(w, "completed_tasks", t.GetCompletedTasks())
}

func (w *writer) getExecutors(e *agent.Response_GetExecutors) {
	messageList(w, "executors", e.GetExecutors())
	messageList(w, "completed_executors", e.GetCompletedExecutors())
}

func (w *writer) getFrameworks(f *agent.Response_GetFrameworks) {
	messageList(w, "frameworks", f.GetFrameworks())
	messageList(w, "completed_frameworks", f.GetCompletedFrameworks())
}
