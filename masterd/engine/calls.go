package engine

import (
	"context"
	"sync"

	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// Answer is what became of a call: a reply, or a stream that was opened.
type Answer struct {
	Reply  state.Reply
	Stream *Stream
}

// Scheduler makes a call of a framework and waits for its answer.
func (e *Engine) Scheduler(
	ctx context.Context, principal string, stream state.StreamID, call *scheduler.Call,
) (Answer, error) {
	return e.call(ctx, func(id state.ReplyID) state.Input {
		return state.SchedulerCall{Reply: id, Stream: stream, Principal: principal, Call: call}
	})
}

// Operator makes a call that changes something and waits for its answer.
func (e *Engine) Operator(ctx context.Context, principal string, call *mesosmaster.Call) (state.Reply, error) {
	answer, err := e.call(ctx, func(id state.ReplyID) state.Input {
		return state.OperatorCall{Reply: id, Principal: principal, Call: call}
	})
	return answer.Reply, err
}

// Whitelist replaces the hosts whose agents may be offered.
func (e *Engine) Whitelist(hosts map[string]bool) { e.feedBack(state.WhitelistChanged{Hosts: hosts}) }

func (e *Engine) call(ctx context.Context, input func(state.ReplyID) state.Input) (Answer, error) {
	id, answer := e.replies.expect()
	defer e.forget(id, answer)
	if err := e.submit(ctx, input(id)); err != nil {
		return Answer{}, err
	}
	select {
	case a := <-answer:
		return a, nil
	case <-ctx.Done():
	case <-e.done:
	}
	return Answer{}, e.stopped(ctx)
}

// forget drops an answer that nobody waits for any more. If it opened a stream
// there is nobody to read it.
func (e *Engine) forget(id state.ReplyID, answer <-chan Answer) {
	e.replies.forget(id)
	select {
	case a := <-answer:
		if a.Stream != nil {
			a.Stream.Close()
		}
	default:
	}
}

// replies are the HTTP requests that wait.
type replies struct {
	mu      sync.Mutex
	last    state.ReplyID
	waiting map[state.ReplyID]chan Answer
}

func newReplies() *replies { return &replies{waiting: map[state.ReplyID]chan Answer{}} }

func (r *replies) expect() (state.ReplyID, <-chan Answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	answer := make(chan Answer, 1)
	r.waiting[r.last] = answer
	return r.last, answer
}

func (r *replies) forget(id state.ReplyID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.waiting, id)
}

// answer reports whether somebody was waiting.
func (r *replies) answer(id state.ReplyID, a Answer) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	answer, ok := r.waiting[id]
	if ok {
		delete(r.waiting, id)
		answer <- a
	}
	return ok
}
