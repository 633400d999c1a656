package state

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	"github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

// comeback is a reregistration of agent n with what the change makes of it.
func (r *rig) comeback(n int, id AgentID, change func(*messages.ReregisterSlaveMessage)) PeerMessage {
	msg := &messages.ReregisterSlaveMessage{
		Slave: &mesos.AgentInfo{
			Id: &mesos.AgentID{Value: new(string(id))}, Hostname: new("host"), Resources: resources.MustParse("cpus:4;mem:1024").Proto(),
		},
		Version:           new("1.11.0"),
		AgentCapabilities: allCapabilities(),
	}
	if change != nil {
		change(msg)
	}
	return PeerMessage{From: agentPID(n), To: "master", Message: msg}
}

// silence lets an agent not answer its pings until it is given up.
func (r *rig) silence(id AgentID) []Effect {
	var effects []Effect
	for range r.m.cfg.MaxAgentPingTimeouts {
		r.now = r.now.Add(r.m.cfg.AgentPingTimeout)
		effects = append(effects, r.do(TimerFired{Timer{TimerPing, string(id)}})...)
	}
	return effects
}

// messagesTo returns the names of the messages that were sent to a peer.
func messagesTo(effects []Effect, to PID) []string {
	var names []string
	for _, s := range find[SendMessage](effects) {
		if s.To == to {
			names = append(names, strings.TrimPrefix(messageName(s.Message), "mesos.internal."))
		}
	}
	return names
}

func sent[M proto.Message](effects []Effect) []M {
	var found []M
	for _, s := range find[SendMessage](effects) {
		if m, ok := s.Message.(M); ok {
			found = append(found, m)
		}
	}
	return found
}

// subscribeOld subscribes a framework without PARTITION_AWARE and MULTI_ROLE.
func (r *rig) subscribeOld(stream StreamID) *framework {
	r.do(SchedulerCall{Reply: 1, Stream: stream, Call: &scheduler.Call{
		Type: scheduler.Call_SUBSCRIBE.Enum(),
		Subscribe: &scheduler.Call_Subscribe{FrameworkInfo: &mesos.FrameworkInfo{
			User: new("u"), Name: new("old"), Checkpoint: new(true), FailoverTimeout: new(1e6),
		}},
	}})
	return r.m.byStream[stream]
}

// run launches a task of a framework on an agent and lets it run.
func (r *rig) run(f *framework, a AgentID, n int, id string) TaskKey {
	key := TaskKey{f.id, TaskID(id)}
	r.acceptOffer(r.offer(f, a, "cpus:1;mem:10"), launchOp(taskInfo(id, a, "cpus:1;mem:10")))
	r.do(PeerMessage{From: agentPID(n), To: "master", Message: updateMessage(key, a, agentPID(n), mesos.TaskState_TASK_RUNNING, make([]byte, 16))})
	return key
}

func TestRemovalRateLimit(t *testing.T) {
	cfg := testConfig()
	cfg.AgentRemovalRateLimit = RateLimit{Permits: 2, Per: 20 * time.Minute}
	r := newRig(t, cfg)
	ids := []AgentID{r.addAgent(0, "cpus:4"), r.addAgent(1, "cpus:4"), r.addAgent(2, "cpus:4"), r.addAgent(3, "cpus:4")}
	marked := func(effects []Effect) (n int) {
		for _, p := range find[Persist](effects) {
			for _, o := range p.Operations {
				if _, ok := o.(op.MarkUnreachable); ok {
					n++
				}
			}
		}
		return n
	}
	total := 0
	for _, id := range ids {
		total += marked(r.silence(id))
	}
	if total != 1 {
		t.Fatalf("%d of 4 silent agents were marked at once, want 1", total)
	}
	if got := len(r.m.removals.waiting); got != 3 {
		t.Fatalf("%d wait, want 3", got)
	}
	r.do(PeerMessage{From: agentPID(2), To: "slave-observer(3)", Message: &messages.PongSlaveMessage{}})
	removal := Timer{Kind: TimerRemoval}
	if n := marked(r.do(TimerFired{removal})); n != 0 {
		t.Errorf("%d were marked before the time", n)
	}
	for i, want := range []int{1, 1} {
		r.now = r.m.timers[removal]
		if n := marked(r.do(TimerFired{removal})); n != want {
			t.Errorf("permit %d marks %d agents, want %d", i, n, want)
		}
	}
	if r.m.agents[ids[2]] == nil || len(r.m.agents) != 1 {
		t.Errorf("%d agents are left, want the one that answered", len(r.m.agents))
	}
	if _, armed := r.m.timers[removal]; armed {
		t.Error("the timer still runs")
	}
	s := r.m.stats
	if s.UnreachableScheduled != 4 || s.UnreachableCompleted != 3 || s.UnreachableCanceled != 1 {
		t.Errorf("scheduled %d, completed %d, canceled %d", s.UnreachableScheduled, s.UnreachableCompleted, s.UnreachableCanceled)
	}
}

func TestRemovalOfDisconnectedIsCanceledByItsReturn(t *testing.T) {
	cfg := testConfig()
	cfg.AgentRemovalRateLimit = RateLimit{Permits: 1, Per: time.Hour}
	r := newRig(t, cfg)
	first, second := r.addAgent(0, "cpus:4;mem:1024"), r.addAgent(1, "cpus:4;mem:1024")
	for n := range 2 {
		r.do(PeerExited{PID: agentPID(n)})
	}
	r.now = r.now.Add(cfg.AgentReregisterTimeout)
	r.do(TimerFired{Timer{TimerReregister, string(first)}})
	r.do(TimerFired{Timer{TimerReregister, string(second)}})
	if r.m.agents[first] != nil || r.m.agents[second] == nil {
		t.Fatal("want the first marked and the second waiting")
	}
	r.do(r.comeback(1, second, nil))
	if len(r.m.removals.waiting) != 0 || r.m.stats.UnreachableCanceled != 1 {
		t.Errorf("%d wait, %d canceled", len(r.m.removals.waiting), r.m.stats.UnreachableCanceled)
	}
}

// recoveredRig is a new leader that knows agents of the registry.
func recoveredRig(t *testing.T, cfg Config, agents int) *rig {
	r := &rig{tb: t, m: New(cfg), now: epoch, reg: &registry.Registry{Slaves: &registry.Registry_Slaves{}}}
	for n := range agents {
		r.reg.Slaves.Slaves = append(r.reg.Slaves.Slaves, &registry.Registry_Slave{Info: &mesos.AgentInfo{
			Id: &mesos.AgentID{Value: new(fmt.Sprintf("old-S%d", n))}, Hostname: new("host"),
			Resources: resources.MustParse("cpus:4;mem:1024").Proto(),
		}})
	}
	r.index = op.NewIndex(r.reg)
	r.do(Recovered{Registry: proto.CloneOf(r.reg)})
	return r
}

func TestRecoveryAgentRemovalLimit(t *testing.T) {
	for name, c := range map[string]struct {
		limit    float64
		back     int
		gives    bool
		unreach  int
		expected int
	}{
		"none missing":   {limit: 0, back: 4, expected: 4},
		"at the limit":   {limit: 0.5, back: 2, unreach: 2, expected: 4},
		"over the limit": {limit: 0.5, back: 1, gives: true, expected: 4},
		"no limit":       {limit: 1, back: 0, unreach: 4, expected: 4},
		"nobody known":   {limit: 0, expected: 0},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig()
			cfg.RecoveryAgentRemovalLimit = c.limit
			r := recoveredRig(t, cfg, c.expected)
			for n := range c.back {
				r.do(r.comeback(n, AgentID(fmt.Sprintf("old-S%d", n)), nil))
			}
			r.now = r.now.Add(cfg.AgentReregisterTimeout)
			effects := r.do(TimerFired{Timer{Kind: TimerRecovery}})
			gaveUp := find[Abdicate](effects)
			if got := len(gaveUp) == 1 && errors.Is(gaveUp[0].Reason, ErrTooManyMissing); got != c.gives {
				t.Errorf("abdicates: %v", gaveUp)
			}
			if got := len(r.m.former.unreachable.where); got != c.unreach {
				t.Errorf("%d are unreachable, want %d", got, c.unreach)
			}
		})
	}
}

// TestPartition follows a task of a partition-aware framework and one of
// another through a partition, its discovery, and the agent's return.
func TestPartition(t *testing.T) {
	r := newRig(t, testConfig())
	id := r.addAgent(0, "cpus:4;mem:1024")
	aware, old := r.subscribe("s1", "web"), r.subscribeOld("s2")
	r.run(aware, id, 0, "t1")
	r.run(old, id, 0, "t2")
	effects := r.silence(id)
	got := map[string]string{}
	for _, s := range statuses(effects) {
		got[s.GetTaskId().GetValue()] = fmt.Sprint(s.GetState(), " ", s.GetSource(), " ", s.GetReason(), " ", s.UnreachableTime != nil, " ", len(s.Uuid))
	}
	want := map[string]string{
		"t1": "TASK_UNREACHABLE SOURCE_MASTER REASON_AGENT_REMOVED true 0",
		"t2": "TASK_LOST SOURCE_MASTER REASON_AGENT_REMOVED true 0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("updates (-want +got):\n%s", diff)
	}
	if len(r.reg.GetUnreachable().GetSlaves()) != 1 || len(r.reg.GetSlaves().GetSlaves()) != 0 {
		t.Errorf("the registry has %v", r.reg)
	}
	since := r.reg.Unreachable.Slaves[0].GetTimestamp().GetNanoseconds()
	for _, s := range statuses(effects) {
		if s.GetUnreachableTime().GetNanoseconds() != since {
			t.Errorf("task %s is unreachable since %v, the registry says %d", s.GetTaskId().GetValue(), s.UnreachableTime, since)
		}
	}
	reconciled := statuses(r.call(aware, &scheduler.Call{Type: scheduler.Call_RECONCILE.Enum(), Reconcile: &scheduler.Call_Reconcile{
		Tasks: []*scheduler.Call_Reconcile_Task{{TaskId: &mesos.TaskID{Value: new("t1")}, AgentId: &mesos.AgentID{Value: new(string(id))}}},
	}}))
	if len(reconciled) != 1 || reconciled[0].GetState() != mesos.TaskState_TASK_UNREACHABLE || reconciled[0].GetUnreachableTime().GetNanoseconds() != since {
		t.Errorf("reconciliation says %v", reconciled)
	}
	effects = r.do(r.comeback(0, id, func(m *messages.ReregisterSlaveMessage) {
		for _, f := range []*framework{aware, old} {
			m.Frameworks = append(m.Frameworks, f.info)
			m.Tasks = append(m.Tasks, &mesos.Task{
				Name: new("t"), TaskId: &mesos.TaskID{Value: new(map[*framework]string{aware: "t1", old: "t2"}[f])}, FrameworkId: f.protoID,
				AgentId: m.Slave.Id, State: mesos.TaskState_TASK_RUNNING.Enum(),
				Resources: resources.MustParse("cpus:1;mem:10").Allocate(f.roles[0]).Proto(),
			})
		}
	}))
	back := statuses(effects)
	if len(back) != 2 {
		t.Fatalf("%d updates on the return: %v", len(back), back)
	}
	for _, s := range back {
		if s.GetState() != mesos.TaskState_TASK_RUNNING || s.GetReason() != mesos.TaskStatus_REASON_AGENT_REREGISTERED || s.UnreachableTime != nil {
			t.Errorf("on the return: %v", s)
		}
	}
	if v := r.m.View(); v.UnreachableTasks.Len() != 0 || v.Tasks.Len() != 2 || v.CompletedTasks.Len() != 0 {
		t.Errorf("%d unreachable, %d live, %d completed tasks", v.UnreachableTasks.Len(), v.Tasks.Len(), v.CompletedTasks.Len())
	}
	if len(sent[*messages.KillTaskMessage](effects))+len(sent[*messages.ShutdownFrameworkMessage](effects)) != 0 {
		t.Error("something is killed on the return")
	}
}

func markGone(id AgentID) OperatorCall {
	return OperatorCall{Reply: 9, Call: &mesosmaster.Call{
		Type:          mesosmaster.Call_MARK_AGENT_GONE.Enum(),
		MarkAgentGone: &mesosmaster.Call_MarkAgentGone{AgentId: &mesos.AgentID{Value: new(string(id))}},
	}}
}

func TestMarkGone(t *testing.T) {
	for name, c := range map[string]struct {
		before   func(r *rig, id AgentID)
		shutdown int
	}{
		"registered":   {before: func(*rig, AgentID) {}, shutdown: 1},
		"disconnected": {before: func(r *rig, _ AgentID) { r.do(PeerExited{PID: agentPID(0)}) }, shutdown: 1},
		"unreachable":  {before: func(r *rig, id AgentID) { r.silence(id) }},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, testConfig())
			id := r.addAgent(0, "cpus:4;mem:1024")
			aware, old := r.subscribe("s1", "web"), r.subscribeOld("s2")
			r.run(aware, id, 0, "t1")
			r.run(old, id, 0, "t2")
			c.before(r, id)
			effects := r.do(markGone(id))
			if replies := find[Reply](effects); len(replies) != 1 || replies[0].Status != 200 {
				t.Errorf("answered %v", replies)
			}
			if got := len(sent[*messages.ShutdownMessage](effects)); got != c.shutdown {
				t.Errorf("%d ShutdownMessages, want %d", got, c.shutdown)
			}
			got := map[string]string{}
			for _, s := range statuses(effects) {
				got[s.GetTaskId().GetValue()] = fmt.Sprint(s.GetState(), " ", s.GetReason())
			}
			want := map[string]string{
				"t1": "TASK_GONE_BY_OPERATOR REASON_AGENT_REMOVED_BY_OPERATOR",
				"t2": "TASK_LOST REASON_AGENT_REMOVED",
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("updates (-want +got):\n%s", diff)
			}
			if len(r.reg.GetGone().GetSlaves()) != 1 || len(r.reg.GetUnreachable().GetSlaves())+len(r.reg.GetSlaves().GetSlaves()) != 0 {
				t.Errorf("the registry has %v", r.reg)
			}
			effects = r.do(r.comeback(0, id, nil))
			if diff := cmp.Diff([]string{"ShutdownMessage"}, messagesTo(effects, agentPID(0))); diff != "" {
				t.Errorf("a gone agent that comes back gets (-want +got):\n%s", diff)
			}
			if again := find[Reply](r.do(markGone(id))); len(again) != 1 || again[0].Status != 200 {
				t.Errorf("the second time: %v", again)
			}
		})
	}
	t.Run("recovered", func(t *testing.T) {
		r := recoveredRig(t, testConfig(), 2)
		r.do(markGone("old-S0"))
		r.do(r.comeback(1, "old-S1", nil))
		if effects := r.do(r.comeback(0, "old-S0", nil)); len(sent[*messages.ShutdownMessage](effects)) != 1 {
			t.Error("it may come back")
		}
		r.now = r.now.Add(r.m.cfg.AgentReregisterTimeout)
		r.do(TimerFired{Timer{Kind: TimerRecovery}})
		if len(r.reg.GetUnreachable().GetSlaves()) != 0 {
			t.Errorf("the registry has %v", r.reg)
		}
	})
	t.Run("unknown", func(t *testing.T) {
		r := newRig(t, testConfig())
		if replies := find[Reply](r.do(markGone("x"))); len(replies) != 1 || replies[0].Status != 404 {
			t.Errorf("answered %v", replies)
		}
	})
}

// TestChangedAgent: an agent may come back with another configuration; the
// registry and the allocator learn of it, and offers of what it was are void.
func TestChangedAgent(t *testing.T) {
	r := newRig(t, testConfig())
	id := r.addAgent(0, "cpus:4;mem:1024")
	f := r.subscribe("s1", "web")
	r.offer(f, id, "cpus:2")
	effects := r.do(r.comeback(0, id, func(m *messages.ReregisterSlaveMessage) {
		m.Slave.Resources = resources.MustParse("cpus:1;mem:4096").Proto()
		m.Slave.Attributes = []*mesos.Attribute{{Name: new("rack"), Type: mesos.Value_TEXT.Enum(), Text: &mesos.Value_Text{Value: new("r1")}}}
	}))
	if got := r.reg.Slaves.Slaves[0].Info; len(got.GetAttributes()) != 1 || !resources.Of(got.GetResources()...).Equal(resources.MustParse("cpus:1;mem:4096")) {
		t.Errorf("the registry has %v", got)
	}
	updates := find[AllocUpdateAgent](effects)
	if len(updates) != 1 || !resources.Of(updates[0].Total...).Equal(resources.MustParse("cpus:1;mem:4096")) {
		t.Errorf("the allocator is told %v", updates)
	}
	if f.offers.length != 0 {
		t.Error("an offer is still out for more than there is")
	}
	if got := r.m.agents[id]; len(got.info.GetAttributes()) != 1 {
		t.Errorf("the agent is known as %v", got.info)
	}
	for name, change := range map[string]func(*messages.ReregisterSlaveMessage){
		"host name": func(m *messages.ReregisterSlaveMessage) { m.Slave.Hostname = new("other") },
		"reservations that don't fit": func(m *messages.ReregisterSlaveMessage) {
			m.CheckpointedResources = resources.MustParse("cpus:1000").Proto()
		},
	} {
		t.Run(name, func(t *testing.T) {
			effects := r.do(r.comeback(0, id, change))
			if diff := cmp.Diff([]string{"ShutdownMessage"}, messagesTo(effects, agentPID(0))); diff != "" {
				t.Errorf("it gets (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("IP address", func(t *testing.T) {
		in := r.comeback(7, id, nil)
		if got := messagesTo(r.do(in), in.From); len(got) != 1 || got[0] != "ShutdownMessage" {
			t.Errorf("it gets %v", got)
		}
	})
}

// TestAgentsOfOlderVersions: what an agent of Mesos 1.2 or later leaves out is
// filled in by its capabilities; older ones are ignored.
func TestAgentsOfOlderVersions(t *testing.T) {
	type capability = mesos.AgentInfo_Capability_Type
	since := []struct {
		version string
		caps    []capability
	}{
		{"1.1.0", nil},
		{"1.2.3", nil},
		{"1.3.2", []capability{mesos.AgentInfo_Capability_MULTI_ROLE}},
		{"1.4.0", []capability{mesos.AgentInfo_Capability_HIERARCHICAL_ROLE, mesos.AgentInfo_Capability_RESERVATION_REFINEMENT}},
		{"1.5.0-rc1", []capability{mesos.AgentInfo_Capability_RESOURCE_PROVIDER}},
		{"1.6.0", []capability{mesos.AgentInfo_Capability_RESIZE_VOLUME}},
		{"1.7.1", nil},
		{"1.8.0", []capability{mesos.AgentInfo_Capability_AGENT_OPERATION_FEEDBACK}},
		{"1.9.0", []capability{mesos.AgentInfo_Capability_AGENT_DRAINING}},
		{"1.10.0", []capability{mesos.AgentInfo_Capability_TASK_RESOURCE_LIMITS}},
		{"1.11.0", nil},
	}
	var caps []*mesos.AgentInfo_Capability
	for _, s := range since {
		for _, c := range s.caps {
			caps = append(caps, &mesos.AgentInfo_Capability{Type: c.Enum()})
		}
		t.Run(s.version, func(t *testing.T) { testAgentOfVersion(t, s.version, caps) })
	}
	for _, version := range []string{"0.28.2", "", "one", "1.x", "1.11.0.1"} {
		t.Run("refused "+version, func(t *testing.T) {
			r := recoveredRig(t, testConfig(), 1)
			effects := r.do(r.comeback(0, "old-S0", func(m *messages.ReregisterSlaveMessage) { m.Version = &version }))
			if got := messagesTo(effects, agentPID(0)); len(got) != 0 || len(r.m.agents) != 0 {
				t.Errorf("it gets %v", got)
			}
		})
	}
}

// testAgentOfVersion lets an agent come to a new leader with a running task, and
// a framework launch another.
func testAgentOfVersion(t *testing.T, version string, caps []*mesos.AgentInfo_Capability) {
	known := agentCapabilitiesOf(caps)
	r := recoveredRig(t, testConfig(), 1)
	frameworkInfo := &mesos.FrameworkInfo{Id: &mesos.FrameworkID{Value: new("f")}, User: new("u"), Name: new("n"), Role: new("web")}
	effects := r.do(r.comeback(0, "old-S0", func(m *messages.ReregisterSlaveMessage) {
		m.Version, m.AgentCapabilities = &version, caps
		task := &mesos.Task{
			Name: new("t"), TaskId: &mesos.TaskID{Value: new("t0")}, FrameworkId: frameworkInfo.Id, AgentId: m.Slave.Id,
			State: mesos.TaskState_TASK_RUNNING.Enum(), Resources: []*mesos.Resource{scalar("cpus", 1)},
		}
		m.Slave.Resources = []*mesos.Resource{scalar("cpus", 4), scalar("mem", 1024)}
		m.Slave.Resources[0].Role = new("*")
		reserved := scalar("disk", 10)
		reserved.Role = new("web")
		m.Slave.Resources = append(m.Slave.Resources, reserved)
		if known.reservationRefinement {
			reserved.Role = nil
			reserved.Reservations = []*mesos.Resource_ReservationInfo{{Type: mesos.Resource_ReservationInfo_STATIC.Enum(), Role: new("web")}}
		}
		if known.multiRole {
			task.Resources[0].AllocationInfo = &mesos.Resource_AllocationInfo{Role: new("web")}
		}
		m.Tasks, m.Frameworks = []*mesos.Task{task}, []*mesos.FrameworkInfo{frameworkInfo}
	}))
	if got := len(sent[*messages.SlaveReregisteredMessage](effects)); got != 1 {
		t.Fatalf("%d answers: %v", got, messagesTo(effects, agentPID(0)))
	}
	added := find[AllocAddAgent](effects)
	want := resources.MustParse("cpus:4;mem:1024;disk(web):10")
	if len(added) != 1 || !resources.Of(added[0].Total...).Equal(want) {
		t.Fatalf("the allocator is told %v, want %v", added, want)
	}
	if got := resources.Of(added[0].Used[0].Resources...); !got.Equal(resources.MustParse("cpus:1").Allocate("web")) {
		t.Errorf("in use is %v", got)
	}
	f := r.subscribe("s1", "web")
	effects = r.acceptOffer(r.offer(f, "old-S0", "cpus:1;disk(web):10"), launchOp(taskInfo("t1", "old-S0", "cpus:1;disk(web):10")))
	launched := sent[*messages.RunTaskMessage](effects)
	if len(launched) != 1 {
		t.Fatalf("it gets %v", messagesTo(effects, agentPID(0)))
	}
	for _, res := range launched[0].GetTask().GetResources() {
		if res.GetName() == "disk" && (res.Role != nil) == known.reservationRefinement {
			t.Errorf("the agent is sent %v", res)
		}
	}
}

func scalar(name string, value float64) *mesos.Resource {
	return &mesos.Resource{Name: &name, Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: &value}}
}

// TestReregistrationDuringMarking: whoever writes the registry first wins, and
// the other tries again.
func TestReregistrationDuringMarking(t *testing.T) {
	r := newRig(t, testConfig())
	id := r.addAgent(0, "cpus:4;mem:1024")
	var marking Persist
	for range r.m.cfg.MaxAgentPingTimeouts {
		r.now = r.now.Add(r.m.cfg.AgentPingTimeout)
		for _, p := range find[Persist](r.m.Step(TimerFired{Timer{TimerPing, string(id)}}, r.now)) {
			marking = p
		}
	}
	if marking.Token == 0 {
		t.Fatal("the agent is not being marked")
	}
	if effects := r.do(r.comeback(0, id, nil)); len(find[SendMessage](effects)) != 0 {
		t.Errorf("meanwhile it is answered %v", messagesTo(effects, agentPID(0)))
	}
	if replies := find[Reply](r.do(markGone(id))); len(replies) != 1 || replies[0].Status != 503 {
		t.Errorf("meanwhile it may be marked gone: %v", replies)
	}
	r.do(Persisted{Token: marking.Token, Results: op.Apply(r.reg, r.index, marking.Operations)})
	if effects := r.do(r.comeback(0, id, nil)); len(sent[*messages.SlaveReregisteredMessage](effects)) != 1 {
		t.Errorf("afterwards it is answered %v", messagesTo(effects, agentPID(0)))
	}
	if len(r.reg.GetUnreachable().GetSlaves()) != 0 || len(r.reg.GetSlaves().GetSlaves()) != 1 {
		t.Errorf("the registry has %v", r.reg)
	}
}

// TestMarkingDuringReregistration: an agent that is being readmitted is not
// marked unreachable, and repeats of its message change nothing.
func TestMarkingDuringReregistration(t *testing.T) {
	r := recoveredRig(t, testConfig(), 1)
	in := r.comeback(0, "old-S0", func(m *messages.ReregisterSlaveMessage) {
		m.Slave.Resources = resources.MustParse("cpus:8;mem:1024").Proto()
	})
	readmitting := find[Persist](r.m.Step(in, r.now))
	if len(readmitting) != 1 {
		t.Fatal("a changed agent is not written")
	}
	again := r.comeback(0, "old-S0", nil)
	if effects := r.m.Step(again, r.now); len(find[Persist](effects))+len(find[SendMessage](effects)) != 0 {
		t.Errorf("a repeat has effects: %v", effects)
	}
	r.now = r.now.Add(r.m.cfg.AgentReregisterTimeout)
	if effects := r.m.Step(TimerFired{Timer{Kind: TimerRecovery}}, r.now); len(find[Persist](effects)) != 0 {
		t.Error("it is marked unreachable meanwhile")
	}
	effects := r.do(Persisted{Token: readmitting[0].Token, Results: op.Apply(r.reg, r.index, readmitting[0].Operations)})
	if len(sent[*messages.SlaveReregisteredMessage](effects)) != 1 || len(r.m.agents) != 1 {
		t.Errorf("it is answered %v", messagesTo(effects, agentPID(0)))
	}
}

// TestStaleLink: the end of a connection that an agent has replaced means
// nothing.
func TestStaleLink(t *testing.T) {
	r := newRig(t, testConfig())
	id := r.addAgent(0, "cpus:4;mem:1024")
	moved := PID("slave(1)@10.0.0.1:6000")
	in := r.comeback(0, id, nil)
	in.From = moved
	effects := r.do(in)
	if links := find[Link](effects); len(links) != 1 || links[0].PID != moved {
		t.Errorf("links %v", links)
	}
	if gone := find[Unlink](effects); len(gone) != 1 || gone[0].PID != agentPID(0) {
		t.Errorf("unlinks %v", gone)
	}
	r.do(PeerExited{PID: agentPID(0)})
	if a := r.m.agents[id]; !a.connected || !a.active || a.pid != moved {
		t.Errorf("the agent is at %s, connected %v", a.pid, a.connected)
	}
}

// TestNewAgentAtTheSameAddress: an agent that lost its ID gets another one, and
// the first is removed once its connection is known to be broken.
func TestNewAgentAtTheSameAddress(t *testing.T) {
	r := newRig(t, testConfig())
	first := r.addAgent(0, "cpus:4;mem:1024")
	f := r.subscribe("s1", "web")
	r.run(f, first, 0, "t1")
	if effects := r.do(PeerMessage{From: agentPID(0), To: "master", Message: &messages.RegisterSlaveMessage{
		Slave: &mesos.AgentInfo{Hostname: new("host")}, Version: new("1.11.0"),
	}}); sent[*messages.SlaveRegisteredMessage](effects)[0].GetSlaveId().GetValue() != string(first) {
		t.Error("a repeated registration is not a repeat")
	}
	r.do(PeerExited{PID: agentPID(0)})
	effects := r.do(PeerMessage{From: agentPID(0), To: "master", Message: &messages.RegisterSlaveMessage{
		Slave: &mesos.AgentInfo{Hostname: new("host"), Resources: resources.MustParse("cpus:4").Proto()}, Version: new("1.11.0"),
	}})
	second := sent[*messages.SlaveRegisteredMessage](effects)[0].GetSlaveId().GetValue()
	if second == string(first) || r.m.agents[first] != nil || r.m.agentsByPID[agentPID(0)] != r.m.agents[AgentID(second)] {
		t.Errorf("agents are %v", r.m.agents)
	}
	lost := statuses(effects)
	if len(lost) != 1 || lost[0].GetState() != mesos.TaskState_TASK_LOST || lost[0].GetReason() != mesos.TaskStatus_REASON_AGENT_REMOVED {
		t.Errorf("its tasks: %v", lost)
	}
	if r.m.stats.RemovalsRegistered != 1 {
		t.Errorf("counted %d", r.m.stats.RemovalsRegistered)
	}
}

func TestDomains(t *testing.T) {
	domain := &mesos.DomainInfo{FaultDomain: &mesos.DomainInfo_FaultDomain{
		Region: &mesos.DomainInfo_FaultDomain_RegionInfo{Name: new("r")}, Zone: &mesos.DomainInfo_FaultDomain_ZoneInfo{Name: new("z")},
	}}
	for name, c := range map[string]struct {
		master, agent *mesos.DomainInfo
		required      bool
		admitted      bool
	}{
		"neither":               {admitted: true},
		"both":                  {master: domain, agent: domain, required: true, admitted: true},
		"agent only":            {agent: domain},
		"master only":           {master: domain, admitted: true},
		"master only, required": {master: domain, required: true},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig()
			cfg.Master.Domain, cfg.RequireAgentDomain = c.master, c.required
			r := recoveredRig(t, cfg, 1)
			r.do(PeerMessage{From: agentPID(5), To: "master", Message: &messages.RegisterSlaveMessage{
				Slave: &mesos.AgentInfo{Hostname: new("new"), Domain: c.agent}, Version: new("1.11.0"),
			}})
			r.do(r.comeback(0, "old-S0", func(m *messages.ReregisterSlaveMessage) { m.Slave.Domain = c.agent }))
			if got := len(r.m.agents); got != map[bool]int{true: 2}[c.admitted] {
				t.Errorf("%d agents are registered", got)
			}
			if len(r.m.agents) > 0 {
				if diff := cmp.Diff(c.agent, r.m.agents["old-S0"].info.Domain, protocmp.Transform()); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

// TestOperatorsTakeOffersBack: what an operator reserves or unreserves may be free, offered,
// or in part both. Offers that are in the way are rescinded, others stand.
func TestOperatorsTakeOffersBack(t *testing.T) {
	reserved := func(text string) []*mesos.Resource {
		list := resources.MustParse(text).Proto()
		for _, r := range list {
			forWeb(r)
		}
		return list
	}
	reserve := func(id *mesos.AgentID, text string) *mesosmaster.Call {
		return &mesosmaster.Call{Type: mesosmaster.Call_RESERVE_RESOURCES.Enum(),
			ReserveResources: &mesosmaster.Call_ReserveResources{AgentId: id, Resources: reserved(text)}}
	}
	unreserve := func(id *mesos.AgentID, text string) *mesosmaster.Call {
		return &mesosmaster.Call{Type: mesosmaster.Call_UNRESERVE_RESOURCES.Enum(),
			UnreserveResources: &mesosmaster.Call_UnreserveResources{AgentId: id, Resources: reserved(text)}}
	}
	for name, c := range map[string]struct {
		offered   string // what is not reserved
		call      func(*mesos.AgentID, string) *mesosmaster.Call
		text      string
		rescinded bool
		status    int
	}{
		"reserving what is free":                  {"mem:64", reserve, "cpus:4", false, 202},
		"reserving what is offered":               {"cpus:4", reserve, "cpus:4", true, 202},
		"reserving what is free and offered":      {"cpus:2", reserve, "cpus:4", true, 202},
		"reserving what free ones are enough for": {"cpus:2", reserve, "cpus:2", false, 202},
		"reserving more than there is":            {"cpus:2", reserve, "cpus:5", true, 409},
		"unreserving what is free":                {"cpus:4", unreserve, "disk:10", false, 202},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, testConfig())
			a := r.addAgent(0, "cpus:4;mem:64;disk:10")
			id := &mesos.AgentID{Value: new(string(a))}
			r.do(OperatorCall{Reply: 1, Call: reserve(id, "disk:10")})
			f := r.subscribe("s", "web")
			r.offer(f, a, c.offered)
			checkTakenBack(t, r.do(OperatorCall{Reply: 2, Call: c.call(id, c.text)}), c.rescinded, c.status)
			r.do(PeerMessage{From: agentPID(0), To: "master", Message: &messages.UnregisterSlaveMessage{SlaveId: id}})
			if r.m.agentList.length != 0 {
				t.Error("the agent, which has an operation under way, does not go")
			}
		})
	}
	for name, offered := range map[string]float64{"unreserving what is offered": 10, "unreserving what is free and offered": 4} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, testConfig())
			a := r.addAgent(0, "cpus:4;mem:64;disk:10")
			id := &mesos.AgentID{Value: new(string(a))}
			r.do(OperatorCall{Reply: 1, Call: reserve(id, "disk:10")})
			f := r.subscribe("s", "web")
			r.do(Allocated{Proposals: []Proposal{{Framework: f.id, Role: "web", Agent: a,
				Resources: resources.Of(stocked("disk", offered, forWeb)).Allocate("web").Proto()}}})
			checkTakenBack(t, r.do(OperatorCall{Reply: 2, Call: unreserve(id, "disk:10")}), true, 202)
		})
	}
}

func checkTakenBack(t *testing.T, effects []Effect, rescinded bool, status int) {
	t.Helper()
	got := false
	for _, e := range find[SendEvent](effects) {
		got = got || e.Event.GetRescind() != nil
	}
	if replies := find[Reply](effects); got != rescinded || len(replies) != 1 || replies[0].Status != status {
		t.Errorf("rescinded: %t, %v, want %t and %d", got, replies, rescinded, status)
	}
}
