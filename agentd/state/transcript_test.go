package state

import (
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
)

var rewrite = flag.Bool("rewrite", false, "write the transcripts in testdata anew")

const (
	testMaster = "master@10.0.0.1:5050"
	testAgent  = "m-S0"
)

// counter is a Source that counts.
type counter struct{ n uint64 }

func (c *counter) UUID() [16]byte {
	c.n++
	id := [16]byte{6: 0x40, 8: 0x80}
	binary.BigEndian.PutUint32(id[12:], uint32(c.n))
	return id
}

func (c *counter) Fraction() float64 { return 0.5 }

func testUUID(n byte) []byte {
	return []byte{0xee, 6: 0x40, 8: 0x80, 15: n}
}

// rig runs a machine and writes down what goes in and comes out.
type rig struct {
	t   *testing.T
	m   *Machine
	now time.Time
	out strings.Builder
	// last are the effects of the last step; onStep gets them too.
	last   []Effect
	onStep func([]Effect)
}

func testConfig() Config {
	return Config{
		Agent: &mesos.AgentInfo{
			Hostname: new("agent.example"), Port: new(int32(5051)),
			Resources: []*mesos.Resource{testScalar("cpus", 4, ""), testScalar("mem", 4096, "")},
		},
		Version: "1.11.0", PID: "slave(1)@10.0.0.2:5051", IP: "10.0.0.2", WorkDir: "/w",
		Random: &counter{}, Reconnect: true,
		CommandExecutor: &mesos.CommandInfo{
			Shell: new(false), Value: new("/bin/agentd"), Arguments: []string{"agentd", "executor"},
		},
		DefaultExecutor: &mesos.CommandInfo{
			Shell: new(false), Value: new("/bin/agentd"), Arguments: []string{"agentd", "default-executor"},
		},
	}
}

func testScalar(name string, v float64, role string) *mesos.Resource {
	r := &mesos.Resource{Name: &name, Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: &v}}
	if role != "" {
		r.AllocationInfo = &mesos.Resource_AllocationInfo{Role: &role}
	}
	return r
}

func newRig(t *testing.T, change ...func(*Config)) *rig {
	t.Helper()
	cfg := testConfig()
	for _, f := range change {
		f(&cfg)
	}
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{t: t, m: m, now: time.Unix(1_000_000, 0)}
}

// step feeds one input, named in the transcript.
func (r *rig) step(name string, in Input) []Effect {
	r.now = r.now.Add(time.Second)
	fmt.Fprintf(&r.out, "> %s\n", name)
	r.last = r.m.Step(in, r.now)
	for _, e := range r.last {
		fmt.Fprintf(&r.out, "    %s\n", describe(e))
	}
	if r.onStep != nil {
		r.onStep(r.last)
	}
	return r.last
}

func (r *rig) fromMaster(msg proto.Message) []Effect {
	return r.step("master: "+message(msg), MasterMessage{From: testMaster, Message: msg})
}

func (r *rig) call(stream StreamID, c *executor.Call) []Effect {
	return r.step("executor: "+message(c), ExecutorCall{Reply: 7, Stream: stream, Call: c})
}

func (r *rig) fire(t Timer) []Effect { return r.step("timer "+timer(t), TimerFired{t}) }

// start brings the machine up to where it is registered.
func (r *rig) start() *rig {
	r.step("recovered: nothing", Recovered{})
	r.step("containers recovered", ContainersRecovered{})
	r.register()
	return r
}

func (r *rig) register() {
	r.step("master detected", MasterDetected{testMaster})
	r.fire(Timer{Kind: TimerRegister})
	if r.m.agentID() == "" {
		r.fromMaster(&messages.SlaveRegisteredMessage{SlaveId: &mesos.AgentID{Value: new(testAgent)}})
		return
	}
	r.fromMaster(&messages.SlaveReregisteredMessage{SlaveId: &mesos.AgentID{Value: new(testAgent)}})
}

// answer gives the result of every container call of the last step.
func (r *rig) answer() {
	for _, e := range r.last {
		switch e := e.(type) {
		case UpdateContainer:
			r.step("container updated", ContainerUpdated{Token: e.Token})
			r.answer()
		case DescribeContainer:
			r.step("container described", ContainerDescribed{Token: e.Token, Status: &mesos.ContainerStatus{
				ContainerId: e.Container, ExecutorPid: new(uint32(99)),
			}})
			r.answer()
		}
	}
}

// container returns the ID of the last container that was launched.
func (r *rig) launchedContainer() string {
	for _, e := range r.last {
		if l, ok := e.(LaunchContainer); ok {
			return l.Container
		}
	}
	r.t.Fatal("no container was launched")
	return ""
}

func (r *rig) containerRuns(id string) {
	r.step("container launched", ContainerLaunched{Container: id, Status: &mesos.ContainerStatus{
		ContainerId: &mesos.ContainerID{Value: &id}, ExecutorPid: new(uint32(42)),
	}})
}

func (r *rig) subscribe(executorID string) {
	r.call(1, subscribeCall(executorID))
	r.answer()
}

func (r *rig) update(executorID, task string, state mesos.TaskState, uuid byte) {
	r.call(0, updateCall(executorID, task, state, uuid))
	r.answer()
}

func (r *rig) acknowledge(task string, uuid byte) {
	r.fromMaster(&messages.StatusUpdateAcknowledgementMessage{
		SlaveId: &mesos.AgentID{Value: new(testAgent)}, FrameworkId: testFramework().Id,
		TaskId: &mesos.TaskID{Value: &task}, Uuid: testUUID(uuid),
	})
}

func subscribeCall(executorID string) *executor.Call {
	return &executor.Call{
		Type: executor.Call_SUBSCRIBE.Enum(), FrameworkId: testFramework().Id,
		ExecutorId: &mesos.ExecutorID{Value: &executorID}, Subscribe: &executor.Call_Subscribe{},
	}
}

func updateCall(executorID, task string, state mesos.TaskState, uuid byte) *executor.Call {
	return &executor.Call{
		Type: executor.Call_UPDATE.Enum(), FrameworkId: testFramework().Id,
		ExecutorId: &mesos.ExecutorID{Value: &executorID},
		Update: &executor.Call_Update{Status: &mesos.TaskStatus{
			TaskId: &mesos.TaskID{Value: &task}, State: &state, Uuid: testUUID(uuid), Timestamp: new(1.5),
			Source: mesos.TaskStatus_SOURCE_EXECUTOR.Enum(),
		}},
	}
}

func testFramework() *mesos.FrameworkInfo {
	return &mesos.FrameworkInfo{
		Id: &mesos.FrameworkID{Value: new("m-0000")}, User: new("nobody"), Name: new("test"), Role: new("dev"),
		Checkpoint: new(true),
		Capabilities: []*mesos.FrameworkInfo_Capability{
			{Type: mesos.FrameworkInfo_Capability_PARTITION_AWARE.Enum()},
		},
	}
}

func commandTask(id string) *mesos.TaskInfo {
	return &mesos.TaskInfo{
		Name: &id, TaskId: &mesos.TaskID{Value: &id}, AgentId: &mesos.AgentID{Value: new(testAgent)},
		Command:   &mesos.CommandInfo{Value: new("sleep 1000")},
		Resources: []*mesos.Resource{testScalar("cpus", 1, "dev"), testScalar("mem", 64, "dev")},
	}
}

func runTask(t *mesos.TaskInfo) *messages.RunTaskMessage {
	return &messages.RunTaskMessage{Framework: testFramework(), Task: t, LaunchExecutor: new(true)}
}

// check compares the transcript with the one in testdata.
func (r *rig) check() {
	r.t.Helper()
	file := filepath.Join("testdata", strings.ReplaceAll(r.t.Name(), "/", "_")+".txt")
	if *rewrite {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			r.t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(r.out.String()), 0o644); err != nil {
			r.t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		r.t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), r.out.String()); diff != "" {
		r.t.Errorf("transcript differs (-want +got); run with -rewrite if that is right:\n%s", diff)
	}
}

func message(m proto.Message) string {
	name := string(m.ProtoReflect().Descriptor().Name())
	return name + " " + string(m.(mesosjson.Message).AppendMesosJSON(nil))
}

func timer(t Timer) string {
	parts := []string{string(t.Kind)}
	for _, p := range []string{t.Framework, t.Container, t.Task} {
		if t.Kind == TimerRetryOperation && p != "" {
			p = uuidString([]byte(p))
		}
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, " ")
}

// describe writes an effect as one line.
func describe(e Effect) string {
	switch e := e.(type) {
	case Checkpoint:
		return "checkpoint " + record(e.Record)
	case Send:
		return "send " + e.To + " " + message(e.Message)
	case Link:
		return "link " + e.PID
	case DetectMaster:
		return "detect master"
	case SendEvent:
		return fmt.Sprintf("event to %d: %s", e.Stream, message(e.Event))
	case CloseStream:
		return fmt.Sprintf("close stream %d", e.Stream)
	case Reply:
		return strings.TrimSpace(fmt.Sprintf("reply %d: %d %s", e.Reply, e.Status, e.Message))
	case LaunchContainer:
		task := ""
		if e.Task != nil {
			task = " for task " + e.Task.GetTaskId().GetValue()
		}
		return fmt.Sprintf("launch container %s%s as %q in %s: %s", e.Container, task, e.User, e.Directory, message(e.Executor))
	case UpdateContainer:
		return fmt.Sprintf("update container %s: %s", e.Container, amounts(e.Resources))
	case DescribeContainer:
		return "describe container " + message(e.Container)
	case RecoverContainers:
		var ids []string
		for _, k := range e.Known {
			ids = append(ids, k.Container)
		}
		return fmt.Sprintf("recover containers %v", ids)
	case VolumesShown:
		var names []string
		for _, v := range e.Volumes {
			names = append(names, v.Name+"="+v.Volume.GetDisk().GetPersistence().GetId())
		}
		return fmt.Sprintf("show volumes in %s: %s", e.Container, strings.Join(names, " "))
	case Arm:
		return fmt.Sprintf("arm %s after %s", timer(e.Timer), e.After)
	case Disarm:
		return "disarm " + timer(e.Timer)
	case Terminate:
		return fmt.Sprintf("terminate: %v", e.Err)
	case Log:
		return fmt.Sprintf("log %s %v", e.Message, e.Fields)
	}
	return strings.TrimPrefix(fmt.Sprintf("%T%+v", e, e), "state.")
}

func record(r Record) string {
	switch r := r.(type) {
	case AgentRecord:
		return "agent " + r.Info.GetId().GetValue()
	case FrameworkRecord:
		return "framework " + r.Info.GetId().GetValue()
	case ExecutorRecord:
		return fmt.Sprintf("executor %s run %s", r.Info.GetExecutorId().GetValue(), r.Container)
	case TaskRecord:
		return fmt.Sprintf("task %s in %s", r.Task.GetTaskId().GetValue(), r.Run.Container)
	case UpdateRecord:
		return fmt.Sprintf("update %s %s %s", r.TaskID, r.Update.GetStatus().GetState(), uuidString(r.Update.GetUuid()))
	case AcknowledgementRecord:
		return fmt.Sprintf("acknowledgement %s %s", r.TaskID, uuidString(r.UUID))
	case CompletedRecord:
		return "completed " + r.Run.Container
	case ResourcesRecord:
		target := ""
		if r.Target {
			target = " as target"
		}
		return fmt.Sprintf("resources %s, %d operations%s", amounts(r.Resources), len(r.Operations), target)
	case VolumesRecord:
		return fmt.Sprintf("volumes: create %s, destroy %s", amounts(r.Create), amounts(r.Destroy))
	case ProvidersRecord:
		return fmt.Sprintf("%d resource providers, %d gone", len(r.Known), len(r.Gone))
	case DrainRecord:
		return fmt.Sprintf("drain %v", r.Config != nil)
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", r), "state.")
}

func amounts(rs []*mesos.Resource) string {
	var out []string
	for _, r := range rs {
		out = append(out, fmt.Sprintf("%s:%v", r.GetName(), r.GetScalar().GetValue()))
	}
	return strings.Join(out, ";")
}
