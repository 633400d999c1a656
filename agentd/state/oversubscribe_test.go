package state

import (
	"testing"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

func lent(cpus float64) Lent {
	r := testScalar("cpus", cpus, "")
	r.Revocable = &mesos.Resource_RevocableInfo{}
	return Lent{Total: resources.Of(r)}
}

// updates are the messages about what is lent in effects.
func updates(effects []Effect) (out []*messages.UpdateSlaveMessage) {
	for _, e := range effects {
		if s, ok := e.(Send); ok {
			if u, ok := s.Message.(*messages.UpdateSlaveMessage); ok {
				out = append(out, u)
			}
		}
	}
	return out
}

func checkLent(t *testing.T, when string, effects []Effect, cpus float64) {
	t.Helper()
	us := updates(effects)
	if len(us) != 1 || !us[0].GetUpdateOversubscribedResources() ||
		!resources.Of(us[0].GetOversubscribedResources()...).Equal(lent(cpus).Total) {
		t.Errorf("%s: told %v, want %g cpus", when, us, cpus)
	}
}

func TestLending(t *testing.T) {
	r := newRig(t)
	r.step("recovered", Recovered{})
	r.step("containers recovered", ContainersRecovered{})
	if us := updates(r.step("estimated before there is a master", lent(2))); len(us) > 0 {
		t.Errorf("told nobody %v", us)
	}
	r.step("detected", MasterDetected{testMaster})
	r.fire(Timer{Kind: TimerRegister})
	registered := &messages.SlaveRegisteredMessage{SlaveId: &mesos.AgentID{Value: new("m-S0")}}
	checkLent(t, "registered", r.fromMaster(registered), 2)
	if us := updates(r.step("the same", lent(2))); len(us) > 0 {
		t.Errorf("told again: %v", us)
	}
	checkLent(t, "less", r.step("less", lent(1)), 1)
	none := r.step("nothing", Lent{})
	if us := updates(none); len(us) != 1 || !us[0].GetUpdateOversubscribedResources() || us[0].GetOversubscribedResources() != nil {
		t.Errorf("nothing is lent any more: told %v", us)
	}
	r.step("more", lent(3))
	r.step("master gone", PeerExited{testMaster})
	r.step("detected", MasterDetected{testMaster})
	r.fire(Timer{Kind: TimerRegister})
	again := r.fromMaster(&messages.SlaveReregisteredMessage{SlaveId: &mesos.AgentID{Value: new("m-S0")}})
	checkLent(t, "reregistered", again, 3)
	if v := r.m.View(); !v.Lent.Equal(lent(3).Total) {
		t.Errorf("the view has %v", v.Lent)
	}
}

func TestPreemption(t *testing.T) {
	for name, tt := range map[string]struct {
		aware bool
		want  mesos.TaskState
	}{
		"partition aware":     {true, mesos.TaskState_TASK_GONE},
		"not partition aware": {false, mesos.TaskState_TASK_LOST},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t).start()
			task := runTask(commandTask("t1"))
			if !tt.aware {
				task.Framework.Capabilities = nil
			}
			r.fromMaster(task)
			id := r.launchedContainer()
			r.containerRuns(id)
			r.subscribe("t1")
			r.update("t1", "t1", mesos.TaskState_TASK_RUNNING, 1)
			r.acknowledge("t1", 1)
			for why, p := range map[string]Preempt{
				"another framework": {"m-0001", "t1", id}, "another executor": {"m-0000", "t2", id}, "an older container": {"m-0000", "t1", "gone"},
			} {
				r.step(why, p)
				if r.m.View().Counters.ExecutorsPreempted != 0 {
					t.Errorf("%s was preempted", why)
				}
			}
			r.step("preempted", Preempt{"m-0000", "t1", id})
			r.step("preempted again", Preempt{"m-0000", "t1", id})
			effects := r.step("ended", ContainerTerminated{Container: id, Termination: Termination{Status: new(int32(9))}})
			told := false
			for _, e := range effects {
				s, ok := e.(Send)
				if !ok {
					continue
				}
				if u, ok := s.Message.(*messages.StatusUpdateMessage); ok {
					told = true
					status := u.GetUpdate().GetStatus()
					if status.GetState() != tt.want || status.GetReason() != mesos.TaskStatus_REASON_CONTAINER_PREEMPTED ||
						status.GetSource() != mesos.TaskStatus_SOURCE_AGENT {
						t.Errorf("update %v, want %v", status, tt.want)
					}
				}
			}
			if v := r.m.View().Counters; !told || v.ExecutorsPreempted != 1 {
				t.Errorf("told %t, counters %+v", told, v)
			}
		})
	}
}
