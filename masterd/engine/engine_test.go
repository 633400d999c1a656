package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/google/go-cmp/cmp"

	registrypb "github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
	"github.com/mesos-operator/mesos-operator/internal/recordio"
	"github.com/mesos-operator/mesos-operator/masterd/allocator"
	"github.com/mesos-operator/mesos-operator/masterd/registry"
	"github.com/mesos-operator/mesos-operator/masterd/registry/memory"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
	"github.com/mesos-operator/mesos-operator/masterd/registry/storetest"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// script is a machine that does what a test says. It remembers its inputs.
type script struct {
	step func(state.Input) []state.Effect

	mu     sync.Mutex
	inputs []state.Input
	views  int
}

func (s *script) Step(in state.Input, _ time.Time) []state.Effect {
	s.mu.Lock()
	s.inputs = append(s.inputs, in)
	s.mu.Unlock()
	return s.step(in)
}

func (s *script) View() *state.View {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.views++
	return &state.View{Recovered: len(s.inputs) > 0}
}

// seen returns the inputs of one type.
func seen[T state.Input](s *script) []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []T
	for _, in := range s.inputs {
		if in, ok := in.(T); ok {
			all = append(all, in)
		}
	}
	return all
}

// idle is an allocator that proposes once, as soon as something was applied.
type idle struct {
	mu      sync.Mutex
	applied []state.AllocatorEffect
	runs    int
}

func (a *idle) Apply(e state.AllocatorEffect, _ time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.applied = append(a.applied, e)
	_, due := e.(state.AllocAddAgent)
	return due
}

func (a *idle) Stats() allocator.Stats {
	a.mu.Lock()
	defer a.mu.Unlock()
	return allocator.Stats{Runs: uint64(a.runs)}
}

func (a *idle) Allocate(time.Time) state.Allocated {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.runs++
	if len(a.applied) == 0 {
		return state.Allocated{}
	}
	return state.Allocated{Proposals: []state.Proposal{{Framework: "f"}}}
}

// run starts an engine inside a synctest bubble and returns how to stop it.
func run(t *testing.T, m Machine, change ...func(*Config)) (*Engine, func() error) {
	t.Helper()
	store := memory.New()
	term, reg, err := store.Lead(t.Context(), storetest.Master("a"))
	if err != nil {
		t.Fatal(err)
	}
	node, err := libprocess.NewNode(libprocess.Config{Address: libprocess.Address{Host: "127.0.0.1", Port: 5050}})
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		Machine: m, Allocator: &idle{}, Term: term, Registry: reg, Node: node,
		AllocationInterval: time.Hour, HeartbeatInterval: time.Hour, Log: testr.New(t),
	}
	for _, c := range change {
		c(&cfg)
	}
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	stop := sync.OnceValue(func() error {
		cancel()
		err := <-done
		node.Close()
		return err
	})
	t.Cleanup(func() { stop() })
	synctest.Wait()
	return e, stop
}

// subscriber answers SUBSCRIBE with a stream.
func subscriber(in state.Input) []state.Effect {
	switch in := in.(type) {
	case state.SchedulerCall:
		if in.Call.GetType() == scheduler.Call_SUBSCRIBE {
			return []state.Effect{state.OpenStream{Reply: in.Reply, Stream: in.Stream}}
		}
		return []state.Effect{state.Reply{Reply: in.Reply, Status: 202}}
	}
	return nil
}

func subscribe(t *testing.T, e *Engine, id state.StreamID) *Stream {
	t.Helper()
	answer, err := e.Scheduler(t.Context(), "", id, &scheduler.Call{Type: scheduler.Call_SUBSCRIBE.Enum()})
	if err != nil || answer.Stream == nil {
		t.Fatalf("no stream: %v, %v", answer, err)
	}
	return answer.Stream
}

func heartbeat() *scheduler.Event { return &scheduler.Event{Type: scheduler.Event_HEARTBEAT.Enum()} }

func TestRecoveredComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &script{step: func(state.Input) []state.Effect { return nil }}
		run(t, m)
		got := seen[state.Recovered](m)
		if len(got) != 1 || got[0].Registry.GetMaster().GetInfo().GetId() != "a" {
			t.Errorf("recovered with %v", got)
		}
	})
}

func TestCallsGetTheirAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &script{step: func(in state.Input) []state.Effect {
			if in, ok := in.(state.OperatorCall); ok {
				return []state.Effect{
					state.Reply{Reply: 999, Status: 500}, // nobody's
					state.Reply{Reply: in.Reply, Status: 200, Text: in.Principal},
				}
			}
			return nil
		}}
		e, _ := run(t, m)
		var calls sync.WaitGroup
		for i := range 50 {
			calls.Go(func() {
				who := fmt.Sprint(i)
				reply, err := e.Operator(t.Context(), who, &mesosmaster.Call{})
				if err != nil || reply.Status != 200 || reply.Text != who {
					t.Errorf("answer to %s: %+v, %v", who, reply, err)
				}
			})
		}
		calls.Wait()
		if n := len(e.replies.waiting); n != 0 {
			t.Errorf("%d requests are still remembered", n)
		}
	})
}

func TestCallsEndWithTheirContextOrTheTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, stop := run(t, &script{step: func(state.Input) []state.Effect { return nil }})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := e.Operator(ctx, "", &mesosmaster.Call{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v of a call whose client left", err)
		}
		failed := make(chan error, 1)
		go func() {
			_, err := e.Operator(t.Context(), "", &mesosmaster.Call{})
			failed <- err
		}()
		synctest.Wait()
		if err := stop(); err != nil {
			t.Errorf("the end of the context is an error: %v", err)
		}
		if err := <-failed; !errors.Is(err, ErrStopped) {
			t.Errorf("error %v of a call when the term ends", err)
		}
		if _, err := e.View(t.Context()); !errors.Is(err, ErrStopped) {
			t.Errorf("error %v of a view after the end", err)
		}
		if _, err := e.Subscribe(t.Context(), codec.JSON); !errors.Is(err, ErrStopped) {
			t.Errorf("error %v of a subscription after the end", err)
		}
	})
}

func TestEventsOfAStreamComeInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		m := &script{}
		m.step = func(in state.Input) []state.Effect {
			if in, ok := in.(state.OperatorCall); ok {
				effects := []state.Effect{state.Reply{Reply: in.Reply, Status: 200}}
				for i := range n {
					effects = append(effects, state.SendEvent{Stream: "s", Event: &scheduler.Event{
						Error: &scheduler.Event_Error{Message: new(fmt.Sprint(i))}}})
				}
				return append(effects, state.CloseStream{Stream: "s"}, state.SendEvent{Stream: "s", Event: heartbeat()})
			}
			return subscriber(in)
		}
		e, _ := run(t, m)
		stream := subscribe(t, e, "s")
		if _, err := e.Operator(t.Context(), "", &mesosmaster.Call{}); err != nil {
			t.Fatal(err)
		}
		next := 0
		for {
			events, err := stream.Next(t.Context())
			if err != nil {
				if !errors.Is(err, io.EOF) {
					t.Errorf("end of the stream: %v", err)
				}
				break
			}
			for _, ev := range events {
				if got := ev.GetError().GetMessage(); got != fmt.Sprint(next) {
					t.Fatalf("event %q, want %d", got, next)
				}
				next++
			}
		}
		if next != n {
			t.Errorf("%d events, want %d", next, n)
		}
		stream.Close()
		stream.Close()
		synctest.Wait()
		if got := seen[state.StreamClosed](m); len(got) != 1 {
			t.Errorf("the machine heard %d times of the closed stream", len(got))
		}
	})
}

func TestAStreamThatIsNotReadIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &script{}
		m.step = func(in state.Input) []state.Effect {
			if in, ok := in.(state.OperatorCall); ok {
				return []state.Effect{
					state.SendEvent{Stream: "slow", Event: heartbeat()},
					state.SendEvent{Stream: "quick", Event: heartbeat()},
					state.Reply{Reply: in.Reply, Status: 200},
				}
			}
			return subscriber(in)
		}
		e, _ := run(t, m, func(c *Config) { c.MaxSchedulerEvents = 10 })
		slow, quick := subscribe(t, e, "slow"), subscribe(t, e, "quick")
		for range 20 {
			if _, err := e.Operator(t.Context(), "", &mesosmaster.Call{}); err != nil {
				t.Fatal(err)
			}
			if events, err := quick.Next(t.Context()); len(events) != 1 || err != nil {
				t.Fatalf("the other stream got %d events, %v", len(events), err)
			}
		}
		select {
		case <-slow.Ended():
		default:
			t.Error("the slow stream did not end")
		}
		if events, err := slow.Next(t.Context()); len(events) != 0 || !errors.Is(err, ErrTooSlow) {
			t.Errorf("the slow stream yields %d events, %v", len(events), err)
		}
		if got := e.Stats().SlowSubscribers; got != 1 {
			t.Errorf("%d slow subscribers counted", got)
		}
	})
}

func TestAStreamThatNobodyWaitsForIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &script{step: subscriber}
		e, _ := run(t, m)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := e.Scheduler(ctx, "", "s", &scheduler.Call{Type: scheduler.Call_SUBSCRIBE.Enum()})
		synctest.Wait()
		opened := len(seen[state.SchedulerCall](m))
		if err == nil || opened != len(seen[state.StreamClosed](m)) {
			t.Errorf("%d streams opened, %d closed, error %v", opened, len(seen[state.StreamClosed](m)), err)
		}
	})
}

// slowTerm takes a second to write.
type slowTerm struct{ registry.Term }

func (s slowTerm) Apply(ctx context.Context, ops []op.Operation) ([]op.Result, error) {
	time.Sleep(time.Second)
	return s.Term.Apply(ctx, ops)
}

func TestWritesAreAnsweredInOrderAndTheLoopGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var token uint64
		m := &script{}
		m.step = func(in state.Input) []state.Effect {
			in2, ok := in.(state.OperatorCall)
			if !ok {
				return nil
			}
			token++
			return []state.Effect{
				state.Persist{Token: token, Operations: []op.Operation{op.AdmitAgent{Info: storetest.Agent(fmt.Sprint(token % 2))}}},
				state.Reply{Reply: in2.Reply, Status: 202},
			}
		}
		e, _ := run(t, m, func(c *Config) { c.Term = slowTerm{c.Term} })
		for range 4 {
			if _, err := e.Operator(t.Context(), "", &mesosmaster.Call{}); err != nil {
				t.Fatal(err)
			}
		}
		if len(seen[state.Persisted](m)) != 0 || e.Stats().QueuedWrites != 4 {
			t.Errorf("the loop waited for the disk: %d written", len(seen[state.Persisted](m)))
		}
		time.Sleep(5 * time.Second)
		for i, p := range seen[state.Persisted](m) {
			if p.Token != uint64(i+1) || p.Err != nil || len(p.Results) != 1 || (p.Results[0].Err == nil) != (i < 2) {
				t.Errorf("write %d: %+v", i, p)
			}
		}
	})
}

func TestTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ping := func(id string) state.Timer { return state.Timer{Kind: state.TimerPing, ID: id} }
		m := &script{step: func(in state.Input) []state.Effect {
			if _, ok := in.(state.Recovered); !ok {
				return nil
			}
			return []state.Effect{
				state.Arm{Timer: ping("once"), After: time.Second},
				state.Arm{Timer: ping("later"), After: time.Second},
				state.Arm{Timer: ping("later"), After: 3 * time.Second},
				state.Arm{Timer: ping("never"), After: time.Second},
				state.Disarm{Timer: ping("never")},
				state.Arm{Timer: ping("after the end"), After: time.Hour},
			}
		}}
		_, stop := run(t, m)
		time.Sleep(2 * time.Second)
		if diff := cmp.Diff([]state.TimerFired{{Timer: ping("once")}}, seen[state.TimerFired](m)); diff != "" {
			t.Error(diff)
		}
		time.Sleep(2 * time.Second)
		if diff := cmp.Diff([]state.TimerFired{{Timer: ping("once")}, {Timer: ping("later")}},
			seen[state.TimerFired](m)); diff != "" {
			t.Error(diff)
		}
		stop()
		time.Sleep(2 * time.Hour)
		if n := len(seen[state.TimerFired](m)); n != 2 {
			t.Errorf("%d timers fired", n)
		}
	})
}

func TestReadersShareAView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &script{step: func(state.Input) []state.Effect { return nil }}
		e, _ := run(t, m)
		var readers sync.WaitGroup
		for range 100 {
			readers.Go(func() {
				if v, err := e.View(t.Context()); err != nil || !v.Recovered {
					t.Errorf("view %v, %v", v, err)
				}
			})
		}
		readers.Wait()
		if m.views != 1 {
			t.Errorf("%d views were taken of an unchanged machine", m.views)
		}
		e.feedBack(state.TimerFired{})
		if _, err := e.View(t.Context()); err != nil {
			t.Fatal(err)
		}
		if m.views != 2 {
			t.Errorf("%d views were taken, want a new one after a step", m.views)
		}
	})
}

func TestAllocationRunsWhenAskedAndAtIntervals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &script{step: func(in state.Input) []state.Effect {
			if _, ok := in.(state.Recovered); !ok {
				return nil
			}
			return []state.Effect{state.AllocStart{}, state.AllocAddAgent{}, state.AllocAddAgent{}}
		}}
		a := &idle{}
		e, _ := run(t, m, func(c *Config) { c.Allocator, c.AllocationInterval = a, time.Minute })
		if stats, err := e.AllocatorStats(t.Context()); err != nil || stats.Runs != 1 {
			t.Errorf("%d allocations, want one for all effects: %v", stats.Runs, err)
		}
		time.Sleep(150 * time.Second)
		if got := len(seen[state.Allocated](m)); got != 3 {
			t.Errorf("%d allocations after two intervals, want 3", got)
		}
	})
}

func TestSubscribersSeeEverythingAfterTheirView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		added := 0
		m := &script{}
		m.step = func(in state.Input) []state.Effect {
			call, ok := in.(state.OperatorCall)
			if !ok {
				return nil
			}
			added++
			return []state.Effect{
				state.Publish{Event: &mesosmaster.Event{
					Type: mesosmaster.Event_TASK_ADDED.Enum(),
					TaskAdded: &mesosmaster.Event_TaskAdded{Task: &mesos.Task{
						Name: new(fmt.Sprint(added)), TaskId: &mesos.TaskID{Value: new("t")},
						FrameworkId: &mesos.FrameworkID{Value: new("f")}, AgentId: &mesos.AgentID{Value: new("a")},
						State: mesos.TaskState_TASK_STAGING.Enum(),
					}},
				}},
				state.Reply{Reply: call.Reply, Status: 200},
			}
		}
		e, _ := run(t, m, func(c *Config) { c.HeartbeatInterval = time.Minute })
		call := func() {
			if _, err := e.Operator(t.Context(), "", &mesosmaster.Call{}); err != nil {
				t.Fatal(err)
			}
		}
		call() // nobody listens
		subs := map[string]*Subscription{}
		for _, contentType := range []string{codec.JSON, codec.Protobuf} {
			s, err := e.Subscribe(t.Context(), contentType)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			subs[contentType] = s
		}
		call()
		call()
		time.Sleep(61 * time.Second)
		for contentType, s := range subs {
			batch, err := s.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range batch.All() {
				payload, err := recordio.NewReader(strings.NewReader(string(r)), 1<<20).Next()
				if err != nil {
					t.Fatal(err)
				}
				event := &mesosmaster.Event{}
				if err := codec.Unmarshal(contentType, payload, event); err != nil {
					t.Fatal(err)
				}
				got = append(got, event.GetType().String()+event.GetTaskAdded().GetTask().GetName())
			}
			if diff := cmp.Diff([]string{"TASK_ADDED2", "TASK_ADDED3", "HEARTBEAT"}, got); diff != "" {
				t.Errorf("%s: %s", contentType, diff)
			}
		}
	})
}

func TestSubscribersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, stop := run(t, &script{step: func(state.Input) []state.Effect { return nil }},
			func(c *Config) { c.MaxSubscribers = 2; c.MaxOperatorEvents = 3; c.HeartbeatInterval = time.Second })
		var subs []*Subscription
		for range 3 {
			s, err := e.Subscribe(t.Context(), codec.JSON)
			if err != nil {
				t.Fatal(err)
			}
			subs = append(subs, s)
			synctest.Wait()
		}
		if _, err := subs[0].Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("the oldest subscriber: %v, want the end", err)
		}
		time.Sleep(10 * time.Second) // nobody reads the heartbeats
		if _, err := subs[1].Next(t.Context()); !errors.Is(err, ErrTooSlow) {
			t.Errorf("a subscriber that does not read: %v, want %v", err, ErrTooSlow)
		}
		for _, s := range subs {
			s.Close()
		}
		if n := e.hub.interested.Load(); n != 0 {
			t.Errorf("%d subscriptions remembered", n)
		}
		stop()
	})
}

func TestAbdicateEndsTheTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &script{}
		m.step = func(in state.Input) []state.Effect {
			if _, ok := in.(state.OperatorCall); ok {
				return []state.Effect{state.Abdicate{Reason: fmt.Errorf("writing: %w", registry.ErrNotLeader)}}
			}
			return subscriber(in)
		}
		e, stop := run(t, m)
		stream := subscribe(t, e, "s")
		if _, err := e.Operator(t.Context(), "", &mesosmaster.Call{}); !errors.Is(err, ErrStopped) {
			t.Errorf("call: %v", err)
		}
		if _, err := stream.Next(t.Context()); !errors.Is(err, ErrStopped) {
			t.Errorf("stream: %v", err)
		}
		if err := stop(); !Deposed(err) {
			t.Errorf("run: %v", err)
		}
	})
}

func TestConfigIsChecked(t *testing.T) {
	_, err := New(Config{Registry: &registrypb.Registry{}, MaxQueuedInputs: -1})
	for _, want := range []string{"machine", "allocator", "term", "node", "negative"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
}
