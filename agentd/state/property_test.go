package state

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
)

// world drives a machine at random: a master, executors, containers and a disk,
// which crash and forget at any step.
type world struct {
	t      *rapid.T
	m      *Machine
	disk   *disk
	now    time.Time
	random counter

	tasks   []string // that the master launched
	uuids   byte
	streams StreamID
	open    map[StreamID]string // executor's container by stream
	// started and gone are containers; tokens are calls that were not answered.
	started, gone map[string]bool
	tokens        []Effect

	durable     map[string]bool // UUIDs of updates that are on the disk
	loose       map[string]bool // of those told when no executor had the task any more
	outstanding map[string]string
	acked       map[string]bool
	terminal    map[string]string // UUID of the terminal update of each task
	timers      map[Timer]bool
}

func newWorld(t *rapid.T) *world {
	w := &world{
		t: t, disk: &disk{}, now: time.Unix(1_000_000, 0), open: map[StreamID]string{},
		started: map[string]bool{}, gone: map[string]bool{}, durable: map[string]bool{},
		loose: map[string]bool{}, outstanding: map[string]string{}, acked: map[string]bool{}, terminal: map[string]string{},
	}
	w.boot()
	return w
}

// boot starts a machine on what the disk has.
func (w *world) boot() {
	cfg := testConfig()
	cfg.Random = &w.random
	m, err := New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.m, w.timers, w.tokens = m, map[Timer]bool{}, nil
	w.open, w.outstanding = map[StreamID]string{}, map[string]string{}
	s := w.disk.snapshot
	w.step(Recovered{Snapshot: &s})
	statuses := map[string]*mesos.ContainerStatus{}
	for id := range w.started {
		if !w.gone[id] {
			statuses[id] = &mesos.ContainerStatus{ContainerId: &mesos.ContainerID{Value: &id}}
		}
	}
	w.step(ContainersRecovered{Statuses: statuses})
}

// step feeds an input and looks at what comes out.
func (w *world) step(in Input) {
	w.now = w.now.Add(time.Second)
	for _, e := range w.m.Step(in, w.now) {
		w.effect(e)
	}
	w.consistent()
}

func (w *world) effect(e Effect) {
	switch e := e.(type) {
	case Checkpoint:
		w.disk.record(e.Record)
		if u, ok := e.Record.(UpdateRecord); ok {
			w.durable[string(u.Update.GetUuid())] = true
		}
	case Send:
		w.sent(e)
	case LaunchContainer:
		if _, ok := w.find(e.Container); !ok {
			w.t.Fatalf("container %s started before its executor was checkpointed", e.Container)
		}
		w.tokens = append(w.tokens, e)
	case UpdateContainer, DescribeContainer:
		w.tokens = append(w.tokens, e)
	case WaitContainer:
		if w.gone[e.Container] || !w.started[e.Container] {
			w.gone[e.Container] = true
			w.tokens = append(w.tokens, DestroyContainer(e)) // its end is told sometime
		}
	case DestroyContainer:
		w.tokens = append(w.tokens, e)
	case Arm:
		w.timers[e.Timer] = true
	case Disarm:
		delete(w.timers, e.Timer)
	case CloseStream:
		delete(w.open, e.Stream)
	case Terminate:
		if e.Err != nil {
			w.t.Fatalf("the agent ended: %v", e.Err)
		}
	}
}

func (w *world) find(container string) (RunID, bool) {
	for _, f := range w.disk.snapshot.Frameworks {
		for _, x := range f.Executors {
			if x.Container == container {
				return RunID{FrameworkID: f.Info.GetId().GetValue(), Container: container}, true
			}
		}
	}
	return RunID{}, false
}

// sent looks at messages for the master.
func (w *world) sent(s Send) {
	msg, ok := s.Message.(*messages.StatusUpdateMessage)
	if !ok {
		return
	}
	u := msg.GetUpdate()
	task, uuid := u.GetStatus().GetTaskId().GetValue(), string(u.GetUuid())
	// What no executor here has is told without a record of it.
	own := u.GetStatus().GetState() == mesos.TaskState_TASK_DROPPED || w.loose[uuid]
	if !own && !w.durable[uuid] {
		w.t.Fatalf("update %s of %s left before it was durable", u.GetStatus().GetState(), task)
	}
	if w.acked[uuid] {
		w.t.Fatalf("update %s of %s was sent again after its acknowledgement", u.GetStatus().GetState(), task)
	}
	if before := w.outstanding[task]; before != "" && before != uuid && !own {
		w.t.Fatalf("update of %s overtook one that is not acknowledged", task)
	}
	if before := w.terminal[task]; before != "" && before != uuid && isTerminal(u.GetStatus().GetState()) && !own {
		w.t.Fatalf("%s ended twice", task)
	}
	if !own {
		w.outstanding[task] = uuid
		if isTerminal(u.GetStatus().GetState()) {
			w.terminal[task] = uuid
		}
	}
}

// consistent checks the machine's books.
func (w *world) consistent() {
	for _, f := range w.m.frameworks {
		owned := 0
		for _, r := range f.runs {
			if w.m.containers[r.container] != r {
				w.t.Fatalf("container %s is not in the index", r.container)
			}
			owned += len(r.queued) + len(r.launched) + len(r.terminated)
			for id, t := range r.launched {
				if isTerminal(t.GetState()) {
					w.t.Fatalf("task %s is launched and %s", id, t.GetState())
				}
			}
		}
		if owned != len(f.owners) {
			w.t.Fatalf("%d tasks and %d owners", owned, len(f.owners))
		}
		if len(f.runs) == 0 {
			w.t.Fatalf("framework %s is idle and still there", f.id)
		}
	}
	for key := range w.m.streams {
		if w.m.frameworks[key.framework] == nil && w.m.phase == Terminating {
			w.t.Fatalf("stream of %v outlives its framework", key)
		}
	}
	for s, r := range w.m.subscribed {
		if r.stream != s {
			w.t.Fatalf("stream %d is not that of its executor", s)
		}
	}
}

// TestAnyStory plays random stories and checks what must hold in all of them.
func TestAnyStory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		t.Repeat(map[string]func(*rapid.T){
			"register":  w.register,
			"launch":    w.launch,
			"answer":    w.answer,
			"subscribe": w.subscribe,
			"report":    w.report,
			"ack":       w.acknowledge,
			"kill":      w.kill,
			"die":       w.die,
			"hang up":   w.hangUp,
			"timer":     w.fire,
			"master":    w.loseMaster,
			"crash":     w.crash,
			"":          func(*rapid.T) {},
		})
	})
}

func (w *world) register(*rapid.T) {
	w.step(MasterDetected{testMaster})
	w.step(TimerFired{Timer{Kind: TimerRegister}})
	if w.m.agentID() == "" {
		w.step(MasterMessage{testMaster, &messages.SlaveRegisteredMessage{SlaveId: &mesos.AgentID{Value: new(testAgent)}}})
		return
	}
	w.step(MasterMessage{testMaster, &messages.SlaveReregisteredMessage{SlaveId: &mesos.AgentID{Value: new(testAgent)}}})
}

func (w *world) launch(t *rapid.T) {
	if w.m.phase != Running || len(w.tasks) > 20 {
		t.Skip()
	}
	w.tasks = append(w.tasks, fmt.Sprintf("t%d", len(w.tasks)))
	w.step(MasterMessage{testMaster, runTask(commandTask(w.tasks[len(w.tasks)-1]))})
}

// answer gives the result of a call to the containerizer, in any order.
func (w *world) answer(t *rapid.T) {
	if len(w.tokens) == 0 {
		t.Skip()
	}
	i := rapid.IntRange(0, len(w.tokens)-1).Draw(t, "call")
	call := w.tokens[i]
	w.tokens = append(w.tokens[:i:i], w.tokens[i+1:]...)
	fails := rapid.IntRange(0, 9).Draw(t, "luck") == 0
	var err error
	if fails {
		err = errors.New("bad luck")
	}
	switch c := call.(type) {
	case LaunchContainer:
		w.started[c.Container] = !fails
		w.gone[c.Container] = fails
		w.step(ContainerLaunched{Container: c.Container, Err: err, Status: &mesos.ContainerStatus{
			ContainerId: &mesos.ContainerID{Value: &c.Container},
		}})
	case UpdateContainer:
		w.step(ContainerUpdated{Token: c.Token, Err: err})
	case DescribeContainer:
		w.step(ContainerDescribed{Token: c.Token, Status: &mesos.ContainerStatus{ContainerId: c.Container}})
	case DestroyContainer:
		w.gone[c.Container] = true
		w.step(ContainerTerminated{Container: c.Container, Err: err})
	}
}

// someTask picks a task that was launched, and its executor if it lives.
func (w *world) someTask(t *rapid.T) string {
	if len(w.tasks) == 0 {
		t.Skip()
	}
	return rapid.SampledFrom(w.tasks).Draw(t, "task")
}

func (w *world) call(stream StreamID, c *executor.Call) {
	w.step(ExecutorCall{Reply: 1, Stream: stream, Call: c})
}

func (w *world) subscribe(t *rapid.T) {
	task := w.someTask(t)
	w.streams++
	c := subscribeCall(task)
	if rapid.Bool().Draw(t, "has the task") {
		c.Subscribe.UnacknowledgedTasks = []*mesos.TaskInfo{commandTask(task)}
	}
	w.call(w.streams, c)
	if r := w.m.subscribed[w.streams]; r != nil {
		w.open[w.streams] = r.container
	}
}

func (w *world) report(t *rapid.T) {
	task := w.someTask(t)
	if w.uuids < 250 {
		w.uuids++
	}
	s := rapid.SampledFrom([]mesos.TaskState{
		mesos.TaskState_TASK_STARTING, mesos.TaskState_TASK_RUNNING, mesos.TaskState_TASK_FINISHED,
		mesos.TaskState_TASK_FAILED, mesos.TaskState_TASK_KILLED,
	}).Draw(t, "state")
	u := updateCall(task, task, s, w.uuids)
	if w.m.owner(taskKey{"m-0000", task}) == nil {
		w.loose[string(u.GetUpdate().GetStatus().GetUuid())] = true
	}
	w.call(0, u)
}

func (w *world) acknowledge(t *rapid.T) {
	task := w.someTask(t)
	uuid := w.outstanding[task]
	if uuid == "" || w.m.phase != Running {
		t.Skip()
	}
	s := w.m.streams[taskKey{"m-0000", task}]
	taken := s != nil && len(s.pending) > 0 && string(s.pending[0].GetUuid()) == uuid
	if taken {
		w.acked[uuid] = true
		delete(w.outstanding, task)
	}
	w.step(MasterMessage{testMaster, &messages.StatusUpdateAcknowledgementMessage{
		SlaveId: &mesos.AgentID{Value: new(testAgent)}, FrameworkId: testFramework().Id,
		TaskId: &mesos.TaskID{Value: &task}, Uuid: []byte(uuid),
	}})
}

func (w *world) kill(t *rapid.T) { w.step(MasterMessage{testMaster, killTask(w.someTask(t))}) }

func (w *world) die(t *rapid.T) {
	task := w.someTask(t)
	for _, f := range w.m.frameworks {
		if r := f.runs[task]; r != nil && w.started[r.container] && !w.gone[r.container] {
			w.gone[r.container] = true
			w.step(ContainerTerminated{Container: r.container, Termination: Termination{Status: new(int32(9))}})
			return
		}
	}
	t.Skip()
}

func (w *world) hangUp(t *rapid.T) {
	for _, s := range sortedStreams(w.open) {
		delete(w.open, s)
		w.step(StreamClosed{s})
		return
	}
	t.Skip()
}

func sortedStreams(open map[StreamID]string) []StreamID {
	var out []StreamID
	for s := range sorted(open) {
		out = append(out, s)
	}
	return out
}

func (w *world) fire(t *rapid.T) {
	var armed []Timer
	for a := range w.timers {
		if a.Kind != TimerRegister {
			armed = append(armed, a)
		}
	}
	if len(armed) == 0 {
		t.Skip()
	}
	slices.SortFunc(armed, func(a, b Timer) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Container, b.Container), cmp.Compare(a.Task, b.Task))
	})
	timer := rapid.SampledFrom(armed).Draw(t, "timer")
	delete(w.timers, timer)
	w.step(TimerFired{timer})
}

func (w *world) loseMaster(*rapid.T) {
	w.outstanding = map[string]string{}
	w.step(PeerExited{testMaster})
}

// crash kills the agent. Its disk and its containers stay.
func (w *world) crash(t *rapid.T) {
	if rapid.IntRange(0, 4).Draw(t, "luck") > 0 {
		t.Skip()
	}
	// A container that was being started is gone with the agent.
	for _, call := range w.tokens {
		if l, ok := call.(LaunchContainer); ok {
			w.gone[l.Container] = true
		}
	}
	w.boot()
}
