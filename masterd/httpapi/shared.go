package httpapi

import (
	"runtime"
	"sync"
	"weak"

	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// shared is the body of one endpoint, encoded once for all requests that are
// answered from the same View: a hundred dashboards that poll cost one encoding
// and one buffer for each View they get, however slowly they read. It keeps
// neither View nor body alive: that is up to the requests.
type shared struct {
	mu   sync.Mutex
	view weak.Pointer[state.View]
	last weak.Pointer[encoding]
	size int // of the last body: the next one is about as long
}

// encoding is one body, made by whoever comes first.
type encoding struct {
	once sync.Once
	body []byte
}

// use calls send with the body for a View, which must not be changed.
func (s *shared) use(v *state.View, encode func([]byte) []byte, send func(body []byte)) {
	e, size := s.encoding(v)
	e.once.Do(func() {
		e.body = encode(make([]byte, 0, size+size/16))
		s.mu.Lock()
		s.size = len(e.body)
		s.mu.Unlock()
	})
	send(e.body)
	runtime.KeepAlive(e) // so that others find it while it is being sent
}

func (s *shared) encoding(v *state.View) (*encoding, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.view == weak.Make(v) {
		if e := s.last.Value(); e != nil {
			return e, s.size
		}
	}
	e := &encoding{}
	s.view, s.last = weak.Make(v), weak.Make(e)
	return e, s.size
}
