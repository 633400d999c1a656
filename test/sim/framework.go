package sim

import (
	"fmt"
	"strings"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// framework is a scheduler with a good memory for its tasks and a bad one for
// everything else.
type framework struct {
	sim  *sim
	node string
	life int
	up   bool
	shape
	// roles are those that it wants to be subscribed to now.
	roles []string

	id *mesos.FrameworkID
	// master is whom it takes for the leader, since it subscribed last.
	master *master
	stream state.StreamID
	serial int
	// failover says that it is another instance than the master knows.
	failover bool
	// subscribing is set from SUBSCRIBE to SUBSCRIBED.
	subscribing, subscribed bool

	tasks map[string]*launched
	order []*launched
	// operations are those with an ID, and what it heard of them.
	operations      map[string]operation
	operationSerial int
}

// launched is a task as its scheduler sees it.
type launched struct {
	id    string
	agent *mesos.AgentID
	// heard are the states it was told, in order, without repetitions;
	// terminal is the one that its executor or agent said it ended in.
	heard    []mesos.TaskState
	terminal *mesos.TaskState
	// ended says that the scheduler gave it up, rightly or not.
	ended bool
}

func newFramework(s *sim, n int) *framework {
	f := &framework{sim: s, node: fmt.Sprintf("f%d", n), up: true, tasks: map[string]*launched{}}
	f.shape = shapes[(n+int(s.cfg.Seed%uint64(len(shapes))))%len(shapes)]
	f.roles = f.allRoles()
	s.after(s.upTo(5*time.Second), f.subscribe)
	f.routine()
	return f
}

// later does something unless the framework crashed meanwhile.
func (f *framework) later(d time.Duration, do func()) {
	life := f.life
	f.sim.after(d, func() {
		if f.life == life {
			do()
		}
	})
}

// crash forgets what it was about to do.
func (f *framework) crash() {
	f.sim.note("%s crashes", f.node)
	f.sim.stats.FrameworkCrashes++
	f.life++
	f.failover = true
	f.subscribed, f.subscribing = false, false
	f.sim.net.forget(f.node)
	f.sim.net.breakAll(f.node)
	f.later(f.sim.upTo(20*time.Second), func() {
		f.routine()
		f.subscribe()
	})
}

// call sends a call. Whether it arrives is another matter.
func (f *framework) call(c *scheduler.Call) {
	c.FrameworkId = f.id
	f.send(c, f.sim.net.send)
	if f.sim.troubled() && repeatableCall(c) && f.sim.chance(0.05) {
		f.sim.stats.Repeated++
		f.send(c, f.sim.net.send)
	}
}

// send sends a call over one of its connections.
func (f *framework) send(c *scheduler.Call, over func(from, to string, arrive func())) {
	if f.driver {
		f.driverCall(c)
		return
	}
	if f.sim.troubled() && c.GetType() != scheduler.Call_SUBSCRIBE && f.sim.chance(0.05) {
		f.sim.stats.Overtaken++
		over = f.sim.net.sendAside
	}
	stream, master := f.stream, f.master
	c = carry(f.sim, c)
	over(f.node, master.node, func() {
		master.call(f, stream, c, func(status int) {
			switch status {
			case 403, 400:
				f.sim.net.send(master.node, f.node, func() { f.refused(stream, status) })
			case 307, 503:
				f.sim.net.send(master.node, f.node, func() { f.lost(stream) })
			}
		})
	})
}

// refused drops a subscription that the master does not know.
func (f *framework) refused(stream state.StreamID, status int) {
	if stream == f.stream && f.subscribed {
		f.sim.note("%s gets a %d", f.node, status)
		f.lost(stream)
	}
}

func (f *framework) subscribe() {
	if f.subscribed || f.subscribing {
		return
	}
	leader := f.sim.leaderSeenFrom(f.node)
	if leader == nil {
		f.later(f.sim.upTo(3*time.Second), f.subscribe)
		return
	}
	f.master = leader
	f.serial++
	f.stream = state.StreamID(fmt.Sprintf("%s-%d", f.node, f.serial))
	f.subscribing = true
	stream := f.stream
	life := f.life
	f.sim.net.watch(f.node, f.master.node, func() {
		if f.life == life {
			f.lost(stream)
		}
	})
	f.call(&scheduler.Call{
		Type: scheduler.Call_SUBSCRIBE.Enum(), Subscribe: &scheduler.Call_Subscribe{FrameworkInfo: f.info()},
	})
	// A request that got lost is noticed in the end.
	f.later(30*time.Second, func() {
		if f.subscribing && f.stream == stream {
			f.lost(stream)
		}
	})
}

// lost is the end of a stream: try again.
func (f *framework) lost(stream state.StreamID) {
	if stream == f.stream && (f.subscribed || f.subscribing) {
		f.subscribed, f.subscribing = false, false
		f.later(f.sim.upTo(3*time.Second), f.subscribe)
	}
}

func (f *framework) closed(stream state.StreamID) { f.lost(stream) }

// routine kills and reconciles from time to time.
func (f *framework) routine() {
	f.later(f.sim.upTo(30*time.Second), func() {
		if f.subscribed {
			f.reconcile()
			f.killOne()
			f.changeMind()
		}
		f.routine()
	})
}

func (f *framework) reconcile() {
	if f.sim.troubled() && f.sim.chance(0.3) {
		f.call(&scheduler.Call{Type: scheduler.Call_RECONCILE.Enum(), Reconcile: &scheduler.Call_Reconcile{}})
		return
	}
	call := &scheduler.Call_Reconcile{}
	for _, t := range f.order {
		if !t.ended {
			call.Tasks = append(call.Tasks, &scheduler.Call_Reconcile_Task{TaskId: &mesos.TaskID{Value: &t.id}, AgentId: t.agent})
		}
	}
	if len(call.Tasks) > 0 {
		f.call(&scheduler.Call{Type: scheduler.Call_RECONCILE.Enum(), Reconcile: call})
	}
}

func (f *framework) killOne() {
	for _, t := range f.order {
		if !t.ended && f.sim.chance(0.1) {
			f.call(&scheduler.Call{Type: scheduler.Call_KILL.Enum(), Kill: &scheduler.Call_Kill{TaskId: &mesos.TaskID{Value: &t.id}}})
			return
		}
	}
}

// event takes an event of the master.
func (f *framework) event(stream state.StreamID, e *scheduler.Event) {
	if stream != f.stream {
		return
	}
	switch e.GetType() {
	case scheduler.Event_SUBSCRIBED:
		f.subscribing, f.subscribed = false, true
		f.id = e.GetSubscribed().GetFrameworkId()
		f.later(f.sim.upTo(time.Second), f.reconcile)
	case scheduler.Event_OFFERS:
		for _, o := range e.GetOffers().GetOffers() {
			f.later(f.think(), func() { f.offered(o) })
		}
	case scheduler.Event_UPDATE:
		f.update(e.GetUpdate().GetStatus())
	case scheduler.Event_UPDATE_OPERATION_STATUS:
		f.operationUpdate(e.GetUpdateOperationStatus().GetStatus())
	case scheduler.Event_ERROR:
		f.sim.note("%s: error %q", f.node, e.GetError().GetMessage())
		if strings.Contains(e.GetError().GetMessage(), "removed") {
			f.startOver()
		}
	}
}

// think is how long it takes to decide.
func (f *framework) think() time.Duration {
	if f.sim.chance(0.1) {
		return f.sim.upTo(30 * time.Second)
	}
	return f.sim.upTo(200 * time.Millisecond)
}

// offered launches tasks, or declines. In peace it wants nothing more.
func (f *framework) offered(o *mesos.Offer) {
	f.sim.volumes.seen(f.sim, o)
	if !f.subscribed {
		return
	}
	if !f.sim.troubled() || f.sim.chance(0.75) {
		f.call(&scheduler.Call{Type: scheduler.Call_DECLINE.Enum(), Decline: &scheduler.Call_Decline{
			OfferIds: []*mesos.OfferID{o.Id}, Filters: &mesos.Filters{RefuseSeconds: new(f.refusal())},
		}})
		return
	}
	var ops []*mesos.Offer_Operation
	left := f.understood(o)
	for range 1 + f.sim.rng.IntN(3) {
		var op *mesos.Offer_Operation
		if f.sim.chance(0.3) {
			op = f.convert(o, &left)
		} else {
			op = f.launch(o, &left)
		}
		if op != nil {
			ops = append(ops, op)
		}
	}
	f.call(&scheduler.Call{Type: scheduler.Call_ACCEPT.Enum(), Accept: &scheduler.Call_Accept{
		OfferIds: []*mesos.OfferID{o.Id}, Operations: ops, Filters: &mesos.Filters{RefuseSeconds: new(f.sim.rng.Float64() * 5)},
	}})
}

// refusal is for how long it doesn't want to see resources again, in seconds.
func (f *framework) refusal() float64 {
	if !f.sim.troubled() {
		return 3600
	}
	return f.sim.rng.Float64() * 10
}

// launch makes an operation of a task, or a group of two, that fits.
func (f *framework) launch(o *mesos.Offer, left *resources.Resources) *mesos.Offer_Operation {
	role := o.GetAllocationInfo().GetRole()
	take := func(text string) ([]*mesos.Resource, bool) {
		r := resources.MustParse(text)
		if role != "" {
			r = r.Allocate(role)
		}
		if !left.Contains(r) {
			return nil, false
		}
		*left = left.Subtract(r)
		return r.Proto(), true
	}
	task := func(size string) *mesos.TaskInfo {
		r, ok := take(size)
		if !ok {
			return nil
		}
		t := &launched{id: fmt.Sprintf("%s-t%d", f.node, len(f.order)), agent: o.AgentId}
		f.tasks[t.id] = t
		f.order = append(f.order, t)
		f.sim.stats.Launched++
		return &mesos.TaskInfo{
			Name: new("t"), TaskId: &mesos.TaskID{Value: &t.id}, AgentId: o.AgentId, Resources: r,
			Command: &mesos.CommandInfo{Value: new("sleep")},
		}
	}
	if f.sim.chance(0.25) {
		return f.launchGroup(take, task)
	}
	port := 31000 + f.sim.rng.IntN(10)
	info := task(fmt.Sprintf("cpus:%g;mem:64;ports:[%d-%d]", 0.1+f.sim.rng.Float64(), port, port))
	if info == nil {
		return nil
	}
	info.Resources = append(info.Resources, f.mount(left)...)
	return &mesos.Offer_Operation{
		Type:   mesos.Offer_Operation_LAUNCH.Enum(),
		Launch: &mesos.Offer_Operation_Launch{TaskInfos: []*mesos.TaskInfo{info}},
	}
}

func (f *framework) launchGroup(take func(string) ([]*mesos.Resource, bool), task func(string) *mesos.TaskInfo) *mesos.Offer_Operation {
	r, ok := take("cpus:0.1;mem:32;disk:32")
	if !ok {
		return nil
	}
	group := &mesos.TaskGroupInfo{}
	for range 2 {
		if info := task("cpus:0.1;mem:16"); info != nil {
			group.Tasks = append(group.Tasks, info)
		}
	}
	return &mesos.Offer_Operation{
		Type: mesos.Offer_Operation_LAUNCH_GROUP.Enum(),
		LaunchGroup: &mesos.Offer_Operation_LaunchGroup{
			Executor: &mesos.ExecutorInfo{
				Type: mesos.ExecutorInfo_DEFAULT.Enum(), FrameworkId: f.id, Resources: r,
				ExecutorId: &mesos.ExecutorID{Value: new(fmt.Sprintf("%s-e%d", f.node, len(f.order)))},
			},
			TaskGroup: group,
		},
	}
}

// update takes an update, mostly acknowledges it, and holds it against what is
// promised.
func (f *framework) update(s *mesos.TaskStatus) {
	t := f.tasks[s.GetTaskId().GetValue()]
	if t == nil {
		f.sim.fail("%s hears of a task that it did not launch: %v", f.node, s)
		return
	}
	f.checkUpdate(t, s)
	f.checkTold(s)
	if !t.ended && terminal(s.GetState()) {
		f.sim.stats.Ended++
	}
	t.hear(s)
	if len(s.GetUuid()) == 0 || f.sim.troubled() && f.sim.chance(0.15) {
		return
	}
	f.later(f.sim.upTo(100*time.Millisecond), func() {
		if f.subscribed {
			f.call(&scheduler.Call{Type: scheduler.Call_ACKNOWLEDGE.Enum(), Acknowledge: &scheduler.Call_Acknowledge{
				AgentId: s.AgentId, TaskId: s.TaskId, Uuid: s.Uuid,
			}})
		}
	})
}

// hear takes a state over.
func (t *launched) hear(s *mesos.TaskStatus) {
	state := s.GetState()
	if n := len(t.heard); n == 0 || t.heard[n-1] != state {
		t.heard = append(t.heard, state)
	}
	if terminal(state) && len(s.GetUuid()) > 0 {
		t.terminal = &state
	}
	t.ended = terminal(state) || state == mesos.TaskState_TASK_UNKNOWN
}
