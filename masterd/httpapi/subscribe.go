package httpapi

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/acl"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/masterd/engine"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// heartbeatSeconds is told to subscribers: the interval of the engine's
// heartbeats, which Mesos has no flag for.
const heartbeatSeconds = 15

// subscribe answers SUBSCRIBE of the operator API with the stream of events.
func (a *API) subscribe(c *operatorCall) {
	s, err := c.engine.Subscribe(c.r.Context(), c.contentType)
	if err != nil {
		a.failed(c.w, c.r, err)
		return
	}
	defer s.Close()
	if c.contentType == codec.JSON {
		a.asked.json.Store(true)
	}
	out, ctx, err := openEventStream(c.w, c.r, c.contentType)
	defer out.end()
	defer watch(out, s)()
	if err == nil {
		err = a.greet(ctx, out, s.View, a.visibleTo(c.principal))
	}
	s.View = nil // it may be large, and the stream lasts
	for err == nil {
		var batch engine.Batch
		batch, err = s.Next(ctx)
		if batch.Len() == 0 {
			continue
		}
		// Asked anew each time: ACLs may change while the stream lasts.
		if see := a.visibleTo(c.principal); see.everything() {
			err = out.batch(batch)
		} else {
			err = out.part(batch, see)
		}
	}
	if errors.Is(s.Reason(), engine.ErrTooSlow) {
		a.cfg.Log.Info("a subscriber of the operator API was cut off: it reads too slowly", "remote", c.r.RemoteAddr)
	}
}

// watch frees a write that hangs after its subscription was cut off. The
// returned function ends the watch.
func watch(out *eventStream, s *engine.Subscription) (stop func()) {
	done := make(chan struct{})
	go func() {
		select {
		case <-done:
			return
		case <-s.Ended():
		}
		select {
		case <-done:
		case <-time.After(farewellTimeout):
			out.abort()
		}
	}()
	return func() { close(done) }
}

// Fields of the first event.
var (
	eventType         = named(&mesosmaster.Event{}, "type")
	subscribedField   = named(&mesosmaster.Event{}, "subscribed")
	subscribedState   = named(&mesosmaster.Event_Subscribed{}, "get_state")
	heartbeatInterval = named(&mesosmaster.Event_Subscribed{}, "heartbeat_interval_seconds")
)

// subscribedEvent is SUBSCRIBED: everything there is.
func subscribedEvent(b *body, contentType string, v *state.View, see visible) *body {
	return compose(b, contentType,
		name{eventType, mesosmaster.Event_SUBSCRIBED.String(), mesosmaster.Event_SUBSCRIBED.Number()},
		nested{subscribedField, []part{stateAs(subscribedState, v, see), double{heartbeatInterval, heartbeatSeconds}}})
}

// sharedSnapshots are those for who sees everything: many come at once when a
// new master leads.
func sharedSnapshots(w *workshop) map[string]*shared {
	snapshots := map[string]*shared{}
	for _, contentType := range []string{codec.JSON, codec.Protobuf} {
		snapshots[contentType] = newShared(w, func(b *body, v *state.View) { subscribedEvent(b, contentType, v, visible{}) })
	}
	return snapshots
}

// greet sends SUBSCRIBED and the first HEARTBEAT.
func (a *API) greet(ctx context.Context, out *eventStream, v *state.View, see visible) error {
	defer a.workshop.lane.Begin()()
	if err := a.workshop.enter(ctx); err != nil {
		return err
	}
	var snapshot *body
	if see.everything() {
		snapshot = a.snapshots[out.contentType].of(v)
	} else {
		snapshot = subscribedEvent(a.workshop.body(), out.contentType, see.of(v), see)
	}
	a.workshop.leave()
	if err := out.whole(snapshot); err != nil {
		return err
	}
	return out.message(&mesosmaster.Event{Type: mesosmaster.Event_HEARTBEAT.Enum()})
}

// part writes what may be seen of events.
func (s *eventStream) part(b engine.Batch, see visible) error {
	for published := range b.All() {
		event := see.event(published)
		if event == nil {
			continue
		}
		if err := s.message(event); err != nil {
			return err
		}
	}
	return nil
}

// event returns what may be seen of an event, nil if it is nothing.
func (s visible) event(p state.Publish) *mesosmaster.Event {
	switch p.Event.GetType() {
	case mesosmaster.Event_TASK_ADDED, mesosmaster.Event_TASK_UPDATED:
		if !s.framework(p.Framework) || !s.task(&mesos.Task{User: p.User}, p.Framework) {
			return nil
		}
	case mesosmaster.Event_FRAMEWORK_ADDED:
		return s.frameworkEvent(p.Event, p.Event.GetFrameworkAdded().GetFramework())
	case mesosmaster.Event_FRAMEWORK_UPDATED:
		return s.frameworkEvent(p.Event, p.Event.GetFrameworkUpdated().GetFramework())
	case mesosmaster.Event_FRAMEWORK_REMOVED:
		if !s.framework(p.Event.GetFrameworkRemoved().GetFrameworkInfo()) {
			return nil
		}
	case mesosmaster.Event_AGENT_ADDED:
		return s.agentEvent(p.Event)
	}
	return p.Event
}

func (s visible) framework(info *mesos.FrameworkInfo) bool {
	return info != nil && s.frameworks.Allow(acl.User(info.GetUser()))
}

// frameworkEvent leaves out the resources that may not be seen.
func (s visible) frameworkEvent(e *mesosmaster.Event, f *mesosmaster.Response_GetFrameworks_Framework) *mesosmaster.Event {
	if !s.framework(f.GetFrameworkInfo()) {
		return nil
	}
	if s.roles.Always() {
		return e
	}
	part := proto.CloneOf(e)
	for _, f := range []*mesosmaster.Response_GetFrameworks_Framework{
		part.GetFrameworkAdded().GetFramework(), part.GetFrameworkUpdated().GetFramework(),
	} {
		if f != nil {
			f.AllocatedResources, f.OfferedResources = s.resources(f.AllocatedResources), s.resources(f.OfferedResources)
		}
	}
	return part
}

func (s visible) agentEvent(e *mesosmaster.Event) *mesosmaster.Event {
	if s.roles.Always() {
		return e
	}
	part := proto.CloneOf(e)
	a := part.GetAgentAdded().GetAgent()
	a.TotalResources = s.resources(a.TotalResources)
	a.AllocatedResources, a.OfferedResources = s.resources(a.AllocatedResources), s.resources(a.OfferedResources)
	for _, p := range a.ResourceProviders {
		p.TotalResources = s.resources(p.TotalResources)
	}
	a.AgentInfo = s.agentInfo(a.AgentInfo)
	return part
}
