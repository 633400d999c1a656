package state

import (
	"bytes"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// TestCheckpointingIsTold looks at the bytes: SlaveInfo.checkpoint is field 7.
func TestCheckpointingIsTold(t *testing.T) {
	r := newRig(t)
	r.step("recovered", Recovered{})
	r.step("containers recovered", ContainersRecovered{})
	r.step("detected", MasterDetected{testMaster})
	i := slices.IndexFunc(r.fire(Timer{Kind: TimerRegister}), func(e Effect) bool {
		s, ok := e.(Send)
		if !ok {
			return false
		}
		m, ok := s.Message.(*messages.RegisterSlaveMessage)
		if !ok {
			return false
		}
		data, err := proto.Marshal(m.GetSlave())
		if err != nil {
			t.Fatal(err)
		}
		return bytes.HasSuffix(data, []byte{0x38, 0x01})
	})
	if i < 0 {
		t.Error("no registration with checkpoint=true")
	}
}

// populate sets every field of a message to something, two levels deep.
func populate(m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch {
		case f.IsMap():
			m.Mutable(f).Map().Set(protoreflect.ValueOfString("k").MapKey(), m.Mutable(f).Map().NewValue())
		case f.IsList() && f.Kind() == protoreflect.MessageKind:
			populateNested(m.Mutable(f).List().AppendMutable().Message(), depth)
		case f.IsList():
		case f.Kind() == protoreflect.MessageKind:
			populateNested(m.Mutable(f).Message(), depth)
		case f.Kind() == protoreflect.StringKind:
			m.Set(f, protoreflect.ValueOfString("text"))
		case f.Kind() == protoreflect.BytesKind:
			m.Set(f, protoreflect.ValueOfBytes([]byte("bytes")))
		default:
			m.Set(f, f.Default())
		}
	}
}

func populateNested(m protoreflect.Message, depth int) {
	if depth > 0 {
		populate(m, depth-1)
	}
}

// TestCopies makes sure that what is copied by hand is copied as a whole, also when
// Mesos's messages grow.
func TestCopies(t *testing.T) {
	task := &mesos.Task{}
	populate(task.ProtoReflect(), 1)
	if got := copyTask(task); !proto.Equal(task, got) {
		t.Errorf("copyTask: %v, want %v", got, task)
	}
	info := &mesos.AgentInfo{}
	populate(info.ProtoReflect(), 1)
	if got := withID(info, info.Id); !proto.Equal(info, got) {
		t.Errorf("withID: %v, want %v", got, info)
	}
	update := &messages.StatusUpdate{}
	populate(update.ProtoReflect(), 1)
	if got := withLatest(update, update.LatestState); !proto.Equal(update, got) {
		t.Errorf("withLatest: %v, want %v", got, update)
	}
	m := newRig(t).m
	executor := &mesos.ExecutorInfo{}
	populate(executor.ProtoReflect(), 1)
	if got := m.launchable(executor, executor.Resources); !proto.Equal(executor, got) {
		t.Errorf("launchable: %v, want %v", got, executor)
	}
}

// An executor that ends between the agent's list of executors and the master's answer
// is told of again, once.
func TestExitWhileRegistering(t *testing.T) {
	r := newRig(t).start()
	r.step("master lost", MasterDetected{})
	r.step("master detected", MasterDetected{testMaster})
	r.fire(Timer{Kind: TimerRegister})
	r.m.sendExited("f", "e", nil)
	back := &messages.SlaveReregisteredMessage{SlaveId: &mesos.AgentID{Value: new(testAgent)}}
	for _, want := range []int{1, 0} {
		got := 0
		for _, e := range r.fromMaster(back) {
			if s, ok := e.(Send); ok {
				if exit, ok := s.Message.(*messages.ExitedExecutorMessage); ok && exit.GetExecutorId().GetValue() == "e" {
					got++
				}
			}
		}
		if got != want {
			t.Errorf("the master is told %d times, want %d", got, want)
		}
	}
}
