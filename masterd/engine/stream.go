package engine

import (
	"sync"

	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// Stream is the event stream of one framework. Whoever got it reads the Feed,
// writes what it yields to the client, and calls Close when either ends.
type Stream struct {
	ID state.StreamID
	*Feed[*scheduler.Event]

	engine *Engine
	once   sync.Once
}

// Close tells the machine that the client is gone.
func (s *Stream) Close() {
	s.once.Do(func() {
		s.close(errClosed)
		s.engine.streams.forget(s.ID)
		s.engine.feedBack(state.StreamClosed{Stream: s.ID})
	})
}

// streams are those that are open.
type streams struct {
	max int

	mu   sync.Mutex
	open map[state.StreamID]*Stream
}

func newStreams(most int) *streams {
	return &streams{max: most, open: map[state.StreamID]*Stream{}}
}

func (s *streams) get(id state.StreamID) *Stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[id]
}

func (s *streams) forget(id state.StreamID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, id)
}

// close ends a stream behind what was sent to it. It is forgotten at once, for
// nothing more will be sent.
func (s *streams) close(id state.StreamID) {
	if stream := s.get(id); stream != nil {
		stream.close(errClosed)
		s.forget(id)
	}
}

func (s *streams) end(reason error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, stream := range s.open {
		stream.close(reason)
	}
	clear(s.open)
}

func (s *streams) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

func (e *Engine) openStream(o state.OpenStream) {
	stream := &Stream{ID: o.Stream, Feed: newFeed[*scheduler.Event](e.streams.max), engine: e}
	e.streams.mu.Lock()
	e.streams.open[o.Stream] = stream
	e.streams.mu.Unlock()
	if !e.replies.answer(o.Reply, Answer{Stream: stream}) {
		stream.Close() // the client went away meanwhile
	}
}

func (e *Engine) sendEvent(s state.SendEvent) {
	stream := e.streams.get(s.Stream)
	if stream == nil {
		return
	}
	if !stream.put(s.Event) {
		e.counters.slowStreams.Add(1)
		e.log.Info("a framework reads its events too slowly and is cut off", "stream", s.Stream)
	}
}
