package state

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	"github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

// TestProperties throws inputs of all kinds at a machine, in any order and
// without regard for what a peer would sensibly do. After each, the allocator's
// view agrees with the machine's, nothing is used twice, and no index or timer
// is left over; every call is answered once.
func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for range rapid.IntRange(20, 200).Draw(t, "steps") {
			w.act()
		}
		for len(w.persists) > 0 {
			w.answerPersist()
		}
		if len(w.waiting) > 0 {
			t.Fatalf("calls without an answer: %v", w.waiting)
		}
	})
}

// world is a machine among peers that do what comes.
type world struct {
	t        *rapid.T
	m        *Machine
	now      time.Time
	ledger   *ledger
	reg      *registry.Registry
	index    *op.Index
	persists []Persist
	replies  ReplyID
	waiting  map[ReplyID]bool
	streams  int
	tasks    int
	// kept is what each agent remembers of reservations and volumes.
	kept map[AgentID][]*mesos.Resource
}

func newWorld(t *rapid.T) *world {
	cfg := testConfig()
	cfg.OfferTimeout = time.Duration(rapid.IntRange(0, 1).Draw(t, "offer timeout")) * time.Minute
	cfg.MaxCompletedFrameworks, cfg.MaxCompletedTasksPerFramework, cfg.MaxUnreachableTasksPerFramework = 1, 2, 2
	w := &world{t: t, m: New(cfg), now: epoch, ledger: newLedger(), reg: &registry.Registry{}, waiting: map[ReplyID]bool{}, kept: map[AgentID][]*mesos.Resource{}}
	w.index = op.NewIndex(w.reg)
	w.step(Recovered{Registry: w.reg})
	return w
}

func (w *world) step(in Input) {
	w.t.Logf("%T %v", in, in)
	for _, e := range w.m.Step(in, w.now) {
		switch e := e.(type) {
		case Persist:
			w.persists = append(w.persists, e)
		case Reply:
			w.answered(e.Reply)
		case OpenStream:
			w.answered(e.Reply)
		}
		if err := w.ledger.apply(e); err != nil {
			w.t.Fatal(err)
		}
	}
	if rapid.IntRange(0, 9).Draw(w.t, "view") == 0 {
		w.m.View()
	}
	if err := w.ledger.check(w.m); err != nil {
		w.t.Fatal(err)
	}
	for a := range w.m.agentList.all() {
		w.kept[a.id] = a.checkpointed.Proto()
	}
}

func (w *world) answered(id ReplyID) {
	if !w.waiting[id] {
		w.t.Fatalf("call %d is answered twice", id)
	}
	delete(w.waiting, id)
}

func (w *world) reply() ReplyID {
	w.replies++
	w.waiting[w.replies] = true
	return w.replies
}

// act does one random thing.
func (w *world) act() {
	rapid.SampledFrom([]func(){
		w.subscribe, w.closeStream, w.call, w.call, w.call, w.register, w.reregister, w.exit, w.update, w.update,
		w.fire, w.fire, w.answerPersist, w.answerPersist, w.propose, w.propose, w.propose, w.operate, w.operationUpdate, w.agentSays, w.driverSays,
	}).Draw(w.t, "action")()
}

// pick returns any of a list, or the zero value if it is empty.
func pick[T any](w *world, l *list[T]) *T {
	if l.length == 0 {
		return nil
	}
	n := rapid.IntRange(0, l.length-1).Draw(w.t, "which")
	for v := range l.all() {
		if n == 0 {
			return v
		}
		n--
	}
	return nil
}

func (w *world) number(max int) int { return rapid.IntRange(0, max).Draw(w.t, "number") }

func (w *world) frameworkInfo() *mesos.FrameworkInfo {
	info := &mesos.FrameworkInfo{User: new("u"), Name: new("n"), Checkpoint: new(w.number(1) == 1), FailoverTimeout: new(float64(w.number(100)))}
	if w.number(1) == 1 {
		info.Capabilities = []*mesos.FrameworkInfo_Capability{
			{Type: mesos.FrameworkInfo_Capability_MULTI_ROLE.Enum()},
			{Type: mesos.FrameworkInfo_Capability_PARTITION_AWARE.Enum()},
			{Type: mesos.FrameworkInfo_Capability_RESERVATION_REFINEMENT.Enum()},
			{Type: mesos.FrameworkInfo_Capability_SHARED_RESOURCES.Enum()},
		}
		info.Roles = []string{"a", "a/b"}[:w.number(2)]
	}
	return info
}

func (w *world) subscribe() {
	info := w.frameworkInfo()
	if f := pick(w, &w.m.frameworkList); f != nil && w.number(2) > 0 {
		info.Id, info.User = f.protoID, f.info.User
	}
	w.streams++
	w.step(SchedulerCall{Reply: w.reply(), Stream: StreamID(fmt.Sprintf("s%d", w.streams)), Call: &scheduler.Call{
		Type: scheduler.Call_SUBSCRIBE.Enum(), FrameworkId: info.Id, Subscribe: &scheduler.Call_Subscribe{FrameworkInfo: info},
	}})
}

func (w *world) closeStream() {
	w.step(StreamClosed{Stream: StreamID(fmt.Sprintf("s%d", w.number(w.streams)))})
}

// call makes a call for a framework, mostly one that makes sense.
func (w *world) call() {
	f := pick(w, &w.m.frameworkList)
	if f == nil {
		return
	}
	c := &scheduler.Call{FrameworkId: f.protoID}
	switch w.number(12) {
	case 0:
		c.Type = scheduler.Call_TEARDOWN.Enum()
	case 1:
		c.Type, c.Decline = scheduler.Call_DECLINE.Enum(), &scheduler.Call_Decline{OfferIds: w.offers(f)}
	case 2:
		c.Type, c.Kill = scheduler.Call_KILL.Enum(), &scheduler.Call_Kill{TaskId: w.taskID()}
	case 3:
		c.Type, c.Suppress = scheduler.Call_SUPPRESS.Enum(), &scheduler.Call_Suppress{Roles: f.roles[:min(len(f.roles), w.number(1))]}
	case 6:
		c.Type, c.ReconcileOperations = scheduler.Call_RECONCILE_OPERATIONS.Enum(), &scheduler.Call_ReconcileOperations{}
	case 7:
		c.Type, c.AcknowledgeOperationStatus = scheduler.Call_ACKNOWLEDGE_OPERATION_STATUS.Enum(), w.operationAck(f)
	case 4:
		c.Type, c.Reconcile = scheduler.Call_RECONCILE.Enum(), &scheduler.Call_Reconcile{}
	case 5:
		c.Type, c.Acknowledge = scheduler.Call_ACKNOWLEDGE.Enum(), w.acknowledgement(f)
	default:
		c.Type, c.Accept = scheduler.Call_ACCEPT.Enum(), w.acceptance(f)
	}
	w.step(SchedulerCall{Reply: w.reply(), Stream: f.conn.Stream, Call: c})
}

func (w *world) offers(f *framework) []*mesos.OfferID {
	var ids []*mesos.OfferID
	for range w.number(2) {
		if o := pick(w, &f.offers); o != nil {
			ids = append(ids, o.info.Id)
		}
	}
	return append(ids, &mesos.OfferID{Value: new("m-O0")})[:len(ids)+w.number(8)/8]
}

func (w *world) taskID() *mesos.TaskID {
	return &mesos.TaskID{Value: new(fmt.Sprintf("t%d", w.number(w.tasks)))}
}

func (w *world) acknowledgement(f *framework) *scheduler.Call_Acknowledge {
	ack := &scheduler.Call_Acknowledge{AgentId: &mesos.AgentID{Value: new("m-S0")}, TaskId: w.taskID(), Uuid: make([]byte, 16)}
	if t := pick(w, &f.tasks); t != nil && t.info.StatusUpdateUuid != nil {
		ack.AgentId, ack.TaskId, ack.Uuid = t.info.AgentId, t.info.TaskId, t.info.StatusUpdateUuid
	}
	return ack
}

func (w *world) acceptance(f *framework) *scheduler.Call_Accept {
	accept := &scheduler.Call_Accept{OfferIds: w.offers(f)}
	agent := AgentID("m-S0")
	if len(accept.OfferIds) > 0 {
		if o := w.m.offers[OfferID(accept.OfferIds[0].GetValue())]; o != nil {
			agent = o.agent.id
		}
	}
	launch := launchOp()
	for range w.number(3) {
		w.tasks += w.number(1) // sometimes an ID is used again
		info := taskInfo(fmt.Sprintf("t%d", w.tasks), agent, fmt.Sprintf("cpus:%d;ports:[%d-%d]", w.number(2), w.number(3), 3+w.number(3)))
		if w.number(2) == 0 {
			info.Command, info.Executor = nil, customExecutor(fmt.Sprintf("e%d", w.number(2)), "cpus:0.5")
		}
		launch.Launch.TaskInfos = append(launch.Launch.TaskInfos, info)
	}
	accept.Operations = []*mesos.Offer_Operation{launch}
	for range w.number(3) {
		accept.Operations = append(accept.Operations, w.operation(f, w.named(accept.OfferIds)))
	}
	if w.number(1) == 0 {
		accept.Operations = append(accept.Operations[1:], launch)
	}
	return accept
}

func (w *world) register() {
	w.step(PeerMessage{From: agentPID(w.number(3)), Message: &messages.RegisterSlaveMessage{
		Slave: &mesos.AgentInfo{Hostname: new("h"), Resources: wire("cpus:4;disk:16;ports:[0-9]")}, Version: new("1.11.0"),
		AgentCapabilities: allCapabilities()[:max(w.number(8), w.number(1)*len(allCapabilities()))],
	}})
}

// reregister brings an agent back with a part of what the machine believes to
// be there.
func (w *world) reregister() {
	n := w.number(3)
	id := fmt.Sprintf("m-S%d", w.number(max(w.m.nextAgent-1, 0)))
	if a := pick(w, &w.m.agentList); a != nil && w.number(3) > 0 {
		id = string(a.id)
		for i := range 4 {
			if agentPID(i) == a.pid {
				n = i
			}
		}
	}
	msg := &messages.ReregisterSlaveMessage{
		Slave:             &mesos.AgentInfo{Hostname: new("h"), Id: &mesos.AgentID{Value: &id}, Resources: wire("cpus:4;disk:16;ports:[0-9]")},
		Version:           new("1.11.0"),
		AgentCapabilities: allCapabilities(),
		// It remembers its reservations, whatever else it lost.
		CheckpointedResources: w.kept[AgentID(id)],
	}
	w.addBelongings(msg, AgentID(id))
	w.step(PeerMessage{From: agentPID(n), Message: msg})
}

func (w *world) addBelongings(msg *messages.ReregisterSlaveMessage, id AgentID) {
	listed := map[FrameworkID]bool{}
	list := func(f *framework) {
		if !listed[f.id] {
			listed[f.id] = true
			msg.Frameworks = append(msg.Frameworks, f.info)
		}
	}
	if a := w.m.agents[id]; a != nil {
		for e := range a.executors.all() {
			if e.framework != nil {
				list(e.framework)
				msg.ExecutorInfos = append(msg.ExecutorInfos, e.info)
			}
		}
		for t := range a.tasks.all() {
			if w.number(1) == 0 {
				list(t.framework)
				msg.Tasks = append(msg.Tasks, copyTask(t.info))
			}
		}
	}
	if parked := w.m.former.tasks[id]; parked != nil {
		for u := range parked.all() {
			back := copyTask(u.info)
			back.State, back.ExecutorId = mesos.TaskState_TASK_RUNNING.Enum(), nil
			list(u.framework)
			msg.Tasks = append(msg.Tasks, back)
		}
	}
}

func (w *world) exit() { w.step(PeerExited{PID: agentPID(w.number(3))}) }

func (w *world) update() {
	a := pick(w, &w.m.agentList)
	if a == nil {
		return
	}
	key := TaskKey{"m-0000", "t0"}
	if t := pick(w, &a.tasks); t != nil {
		key = t.key
	}
	state := rapid.SampledFrom([]mesos.TaskState{
		mesos.TaskState_TASK_STARTING, mesos.TaskState_TASK_RUNNING, mesos.TaskState_TASK_FINISHED, mesos.TaskState_TASK_FAILED,
	}).Draw(w.t, "state")
	uuid := make([]byte, 16)
	uuid[0] = byte(w.number(3))
	w.step(PeerMessage{From: a.pid, Message: updateMessage(key, a.id, a.pid, state, uuid)})
}

// fire lets the next timer of a random kind fire.
func (w *world) fire() {
	kind := TimerKind(rapid.IntRange(int(TimerHeartbeat), int(TimerRemoval)).Draw(w.t, "kind"))
	var first Timer
	for timer, due := range w.m.timers {
		if timer.Kind == kind && (first == Timer{} || due.Before(w.m.timers[first]) || due.Equal(w.m.timers[first]) && timer.ID < first.ID) {
			first = timer
		}
	}
	if first == (Timer{}) {
		return
	}
	if due := w.m.timers[first]; due.After(w.now) {
		w.now = due
	}
	w.step(TimerFired{Timer: first})
}

func (w *world) answerPersist() {
	if len(w.persists) == 0 {
		return
	}
	p := w.persists[0]
	w.persists = w.persists[1:]
	w.step(Persisted{Token: p.Token, Results: op.Apply(w.reg, w.index, p.Operations)})
}

// propose lets the allocator propose what it believes to be free, sometimes
// out of date: the machine's step comes after another input.
func (w *world) propose() {
	f, a := pick(w, &w.m.frameworkList), pick(w, &w.m.agentList)
	if f == nil || a == nil || len(f.roles) == 0 {
		return
	}
	free := w.ledger.free(a.id)
	want := resources.MustParse(fmt.Sprintf("cpus:%d;disk:%d;ports:[%d-9]", 1+w.number(3), w.number(16), w.number(8)))
	if w.number(1) == 0 {
		want = free.AllocatableTo(f.roles[0])
	}
	if !free.Contains(want) {
		return
	}
	p := Proposal{Framework: f.id, Role: f.roles[0], Agent: a.id, Resources: want.Allocate(f.roles[0]).Proto()}
	w.ledger.propose(p)
	// What the allocator holds for a proposal in flight is not the machine's
	// yet, so it is checked again only after the proposal.
	w.step(Allocated{Proposals: []Proposal{p}})
}

func (w *world) operate() {
	call := &mesosmaster.Call{}
	switch w.number(9) {
	case 3, 4, 5, 6, 7, 8:
		if call = w.operatorOperation(); call == nil {
			return
		}
	case 0:
		call.Type = mesosmaster.Call_MARK_AGENT_GONE.Enum()
		call.MarkAgentGone = &mesosmaster.Call_MarkAgentGone{AgentId: &mesos.AgentID{Value: new(fmt.Sprintf("m-S%d", w.number(w.m.nextAgent)))}}
	case 1:
		call.Type = mesosmaster.Call_TEARDOWN.Enum()
		call.Teardown = &mesosmaster.Call_Teardown{FrameworkId: &mesos.FrameworkID{Value: new(fmt.Sprintf("m-%04d", w.number(w.m.nextFramework)))}}
	default:
		call.Type = mesosmaster.Call_UNKNOWN.Enum()
	}
	w.step(OperatorCall{Reply: w.reply(), Call: call})
}

// agentSays sends one of an agent's smaller messages.
func (w *world) agentSays() {
	a := pick(w, &w.m.agentList)
	if a == nil {
		return
	}
	id := a.info.Id
	switch w.number(4) {
	case 0:
		w.step(PeerMessage{From: a.pid, Message: &messages.UnregisterSlaveMessage{SlaveId: id}})
	case 1:
		w.step(PeerMessage{From: a.pid, To: a.observer.process, Message: &messages.PongSlaveMessage{}})
	case 2:
		if e := pick(w, &a.executors); e != nil {
			w.step(PeerMessage{From: a.pid, Message: &messages.ExitedExecutorMessage{
				SlaveId: id, FrameworkId: &mesos.FrameworkID{Value: new(string(e.key.Framework))}, ExecutorId: e.info.ExecutorId, Status: new(int32(0)),
			}})
		}
	default:
		w.step(PeerMessage{From: a.pid, Message: &messages.UpdateSlaveMessage{
			SlaveId: id, OversubscribedResources: []*mesos.Resource{revocable("cpus")}[:w.number(1)],
			ResourceVersionUuid: &mesos.UUID{Value: []byte{byte(w.number(2))}},
		}})
	}
}

// driverSays lets a native driver subscribe, or end.
func (w *world) driverSays() {
	pid := PID(fmt.Sprintf("scheduler(%d)@10.1.0.1:4000", w.number(1)))
	f := w.m.byPID[pid]
	if f == nil || w.number(2) == 0 {
		info := w.frameworkInfo()
		if old := pick(w, &w.m.frameworkList); old != nil && w.number(1) == 0 {
			info.Id = old.protoID
			w.step(PeerMessage{From: pid, Message: &messages.ReregisterFrameworkMessage{Framework: info, Failover: new(w.number(1) == 0)}})
			return
		}
		w.step(PeerMessage{From: pid, Message: &messages.RegisterFrameworkMessage{Framework: info}})
		return
	}
	switch w.number(3) {
	case 0:
		w.step(PeerExited{PID: pid})
	case 1:
		w.step(PeerMessage{From: pid, Message: &messages.DeactivateFrameworkMessage{FrameworkId: f.protoID}})
	case 2:
		w.step(PeerMessage{From: pid, Message: &messages.UnregisterFrameworkMessage{FrameworkId: f.protoID}})
	default:
		accept := w.acceptance(f)
		w.step(PeerMessage{From: pid, Message: &messages.LaunchTasksMessage{
			FrameworkId: f.protoID, OfferIds: accept.OfferIds, Tasks: w.launchedTasks(accept), Filters: &mesos.Filters{},
		}})
	}
}
