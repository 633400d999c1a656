package engine

import (
	"context"
	"errors"
	"sync"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/agentd/state"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/resourceprovider"
)

// streamQueue is how many events may wait for a reader that does not read; with
// one more it is disconnected. It can subscribe again without loss.
const streamQueue = 4096

// Stream is the event stream of one executor or resource provider.
type Stream struct {
	id     state.StreamID
	events chan proto.Message
	// Session is what the calls of the resource provider that reads it have to
	// name: its Mesos-Stream-Id. Executors have none.
	Session string
}

// Events yields the events; it is closed when the stream is to end.
func (s *Stream) Events() <-chan proto.Message { return s.events }

// streams are those that executors and resource providers read.
type streams struct {
	mu   *sync.Mutex
	last *state.StreamID
	open map[state.StreamID]*Stream
}

func newStreams() streams {
	return streams{mu: &sync.Mutex{}, last: new(state.StreamID), open: map[state.StreamID]*Stream{}}
}

func (s streams) add() *Stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	*s.last++
	stream := &Stream{id: *s.last, events: make(chan proto.Message, streamQueue)}
	s.open[stream.id] = stream
	return stream
}

// send queues an event. False says that the stream is gone, or is given up now.
func (s streams) send(id state.StreamID, e proto.Message) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	stream := s.open[id]
	if stream == nil {
		return false
	}
	select {
	case stream.events <- e:
		return true
	default:
		delete(s.open, id)
		close(stream.events)
		return false
	}
}

func (s streams) close(id state.StreamID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stream := s.open[id]; stream != nil {
		delete(s.open, id)
		close(stream.events)
	}
}

func (s streams) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, stream := range s.open {
		delete(s.open, id)
		close(stream.events)
	}
}

// replies are the calls that wait for one.
type replies struct {
	mu      *sync.Mutex
	last    *state.ReplyID
	waiting map[state.ReplyID]chan state.Reply
}

func newReplies() replies {
	return replies{mu: &sync.Mutex{}, last: new(state.ReplyID), waiting: map[state.ReplyID]chan state.Reply{}}
}

func (r replies) add() (state.ReplyID, <-chan state.Reply) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*r.last++
	reply := make(chan state.Reply, 1)
	r.waiting[*r.last] = reply
	return *r.last, reply
}

func (r replies) deliver(reply state.Reply) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.waiting[reply.Reply]; c != nil {
		delete(r.waiting, reply.Reply)
		c <- reply
	}
}

func (r replies) forget(id state.ReplyID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.waiting, id)
}

// ExecutorCall performs a call of an executor, whose form was checked, and
// returns the HTTP status and a message for the caller. For a SUBSCRIBE that is
// answered with 200 the stream is set; whoever reads it calls Hangup in the end.
func (e *Engine) ExecutorCall(
	ctx context.Context, claims map[string]string, call *executor.Call,
) (state.Reply, *Stream, error) {
	in := state.ExecutorCall{Claims: claims, Call: call}
	var stream *Stream
	if call.GetType() == executor.Call_SUBSCRIBE {
		stream = e.streams.add()
		in.Stream = stream.id
	}
	return e.subscribing(ctx, stream, func(id state.ReplyID) state.Input { in.Reply = id; return in })
}

// ProviderCall performs a call of a resource provider likewise. session is the
// Mesos-Stream-Id that came with it.
func (e *Engine) ProviderCall(
	ctx context.Context, session string, call *resourceprovider.Call,
) (state.Reply, *Stream, error) {
	in := state.ProviderCall{Session: session, Call: call}
	var stream *Stream
	if call.GetType() == resourceprovider.Call_SUBSCRIBE {
		stream = e.streams.add()
		stream.Session = uuid.NewString()
		in.Stream, in.Session = stream.id, stream.Session
	}
	return e.subscribing(ctx, stream, func(id state.ReplyID) state.Input { in.Reply = id; return in })
}

// MarkProviderGone removes a resource provider for good. The reply's status is 200
// unless that can't be.
func (e *Engine) MarkProviderGone(ctx context.Context, id string) (state.Reply, error) {
	return e.ask(ctx, func(reply state.ReplyID) state.Input { return state.ProviderGone{Reply: reply, ID: id} })
}

// subscribing asks, and gives up the stream of a call that was refused. The
// stream is nil for calls that open none.
func (e *Engine) subscribing(
	ctx context.Context, stream *Stream, in func(state.ReplyID) state.Input,
) (state.Reply, *Stream, error) {
	reply, err := e.ask(ctx, in)
	if stream != nil && (err != nil || reply.Status != 200) {
		e.Hangup(stream)
		stream = nil
	}
	return reply, stream, err
}

// ask submits what in makes and waits for the reply.
func (e *Engine) ask(ctx context.Context, in func(state.ReplyID) state.Input) (state.Reply, error) {
	id, answer := e.replies.add()
	if err := e.Submit(ctx, in(id)); err != nil {
		e.replies.forget(id)
		return state.Reply{}, err
	}
	select {
	case reply := <-answer:
		return reply, nil
	case <-e.stopped:
		e.replies.forget(id)
		return state.Reply{}, ErrStopped
	case <-ctx.Done():
		e.replies.forget(id)
		return state.Reply{}, ctx.Err()
	}
}

// Hangup says that nobody reads a stream any more.
func (e *Engine) Hangup(s *Stream) {
	e.streams.close(s.id)
	if err := e.Submit(context.Background(), state.StreamClosed{Stream: s.id}); err != nil && !errors.Is(err, ErrStopped) {
		e.log.Error(err, "closing a stream")
	}
}
