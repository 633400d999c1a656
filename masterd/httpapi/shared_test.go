package httpapi

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mesos-operator/mesos-operator/masterd/state"
)

func TestABodyIsEncodedOncePerView(t *testing.T) {
	var s shared
	var encoded atomic.Int32
	ask := func(v *state.View, want string, sending *sync.WaitGroup) {
		s.use(v, func(b []byte) []byte {
			encoded.Add(1)
			return append(b, want...)
		}, func(body []byte) {
			if string(body) != want {
				t.Errorf("body %q, want %q", body, want)
			}
			sending.Done()
			sending.Wait() // clients read slowly
		})
	}
	first, second := &state.View{}, &state.View{}
	for _, c := range []struct {
		view *state.View
		body string
	}{{first, "first"}, {second, "second"}} {
		var readers, sending sync.WaitGroup
		sending.Add(50)
		for range 50 {
			readers.Go(func() { ask(c.view, c.body, &sending) })
		}
		readers.Wait()
	}
	if n := encoded.Load(); n != 2 {
		t.Errorf("encoded %d times for two views", n)
	}
	runtime.KeepAlive(first)
	runtime.KeepAlive(second)
}

func TestAnUnusedBodyIsFreed(t *testing.T) {
	var s shared
	v := &state.View{}
	s.use(v, func(b []byte) []byte { return append(b, "body"...) }, func([]byte) {})
	runtime.GC()
	if s.last.Value() != nil {
		t.Error("the body is kept although nobody reads it")
	}
	runtime.KeepAlive(v)
}
