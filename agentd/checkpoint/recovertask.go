package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mesos-operator/mesos-operator/agentd/state"
	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func (r *recovery) task(run state.RunID, id string) (state.TaskSnapshot, bool) {
	t := state.TaskSnapshot{Task: &mesos.Task{}}
	path := filepath.Join(r.store.task(run, id), taskFile)
	err := readOne(path, kindTask, t.Task)
	if err == nil && t.Task.GetTaskId().GetValue() != id {
		err = fmt.Errorf("%w: it is about task %q", ErrCorrupt, t.Task.GetTaskId().GetValue())
	}
	if err != nil {
		r.problem(path, err)
		return t, false
	}
	r.updates(filepath.Join(r.store.task(run, id), updatesFile), &t)
	return t, true
}

// updates reads a stream up to its first bad record, and cuts it off there so
// that it can be added to, unless that would be the end of recovery.
func (r *recovery) updates(path string, t *state.TaskSnapshot) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	records, good := []record(nil), 0
	if err == nil {
		records, good, err = parse(data)
	}
	at := len(header)
	for _, rec := range records {
		if bad := replay(t, rec); bad != nil {
			err, good = bad, at
			break
		}
		at += frameHead + len(rec.payload)
	}
	if err == nil {
		return
	}
	r.problem(path, err)
	if !r.strict || errors.Is(err, errTorn) {
		if err := os.Truncate(path, int64(good)); err != nil {
			r.problem(path, err)
		}
	}
}

// replay adds one record of a stream to a task.
func replay(t *state.TaskSnapshot, rec record) error {
	switch rec.kind {
	case kindUpdate:
		u := &messages.StatusUpdate{}
		if err := decode(rec, kindUpdate, u); err != nil {
			return err
		}
		if u.GetStatus().GetTaskId().GetValue() != t.Task.GetTaskId().GetValue() {
			return fmt.Errorf("%w: update of task %q", ErrCorrupt, u.GetStatus().GetTaskId().GetValue())
		}
		t.Updates = append(t.Updates, u)
	case kindAcknowledgement:
		t.Acknowledged = append(t.Acknowledged, rec.payload)
	case kindTask: // a task of the same ID came after
		next := &mesos.Task{}
		if err := decode(rec, kindTask, next); err != nil {
			return err
		}
		if next.GetTaskId().GetValue() != t.Task.GetTaskId().GetValue() {
			return fmt.Errorf("%w: task %q", ErrCorrupt, next.GetTaskId().GetValue())
		}
		*t = state.TaskSnapshot{Task: next}
	default:
		return unexpected(rec)
	}
	return nil
}
