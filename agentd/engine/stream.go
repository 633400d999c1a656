package engine

import (
	"context"
	"errors"
	"sync"

	"github.com/mesos-operator/mesos-operator/agentd/state"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
)

// streamQueue is how many events may wait for an executor that does not read; with
// one more it is disconnected. It can subscribe again without loss.
const streamQueue = 4096

// Stream is the event stream of one executor.
type Stream struct {
	id     state.StreamID
	events chan *executor.Event
}

// Events yields the events; it is closed when the stream is to end.
func (s *Stream) Events() <-chan *executor.Event { return s.events }

// streams are those that executors read.
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
	stream := &Stream{id: *s.last, events: make(chan *executor.Event, streamQueue)}
	s.open[stream.id] = stream
	return stream
}

// send queues an event. False says that the stream is gone, or is given up now.
func (s streams) send(id state.StreamID, e *executor.Event) bool {
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
	id, answer := e.replies.add()
	in := state.ExecutorCall{Reply: id, Claims: claims, Call: call}
	var stream *Stream
	if call.GetType() == executor.Call_SUBSCRIBE {
		stream = e.streams.add()
		in.Stream = stream.id
	}
	reply, err := e.ask(ctx, in, answer)
	if err != nil {
		e.replies.forget(id)
	}
	if stream != nil && (err != nil || reply.Status != 200) {
		e.Hangup(stream)
		stream = nil
	}
	return reply, stream, err
}

func (e *Engine) ask(ctx context.Context, in state.Input, answer <-chan state.Reply) (state.Reply, error) {
	if err := e.Submit(ctx, in); err != nil {
		return state.Reply{}, err
	}
	select {
	case reply := <-answer:
		return reply, nil
	case <-e.stopped:
		return state.Reply{}, ErrStopped
	case <-ctx.Done():
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
