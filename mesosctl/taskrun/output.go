package taskrun

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
	"github.com/mesos-operator/mesos-operator/internal/masterclient"
)

const (
	// pollInterval is how often a quiet file is asked for more.
	pollInterval = 250 * time.Millisecond
	// chunk is how much is asked for at once; agents answer at most 16 pages anyway.
	chunk = 64 << 10
	// finishTimeout bounds the reading of what was printed last.
	finishTimeout = 10 * time.Second
)

// follower copies a task's stdout from its sandbox as it grows.
type follower struct {
	client  *masterclient.Client
	address string
	path    string
	out     io.Writer

	started sync.Once
	ended   chan struct{}
	done    chan struct{}
	offset  uint64
	err     error
}

func newFollower(client *masterclient.Client, address, framework, executor string, out io.Writer) *follower {
	return &follower{
		client: client, address: address, out: out,
		// A command task's executor has the task's ID, and agents serve this path for its latest run.
		path:  "/frameworks/" + framework + "/executors/" + executor + "/runs/latest/stdout",
		ended: make(chan struct{}), done: make(chan struct{}),
	}
}

// start begins to copy; further calls do nothing.
func (f *follower) start(ctx context.Context) {
	f.started.Do(func() { go f.follow(ctx) })
}

// finish copies what is left of an ended task, waits for it, and tells what went wrong last.
func (f *follower) finish(ctx context.Context) error {
	f.start(ctx)
	close(f.ended)
	<-f.done
	return f.err
}

func (f *follower) follow(ctx context.Context) {
	defer close(f.done)
	for {
		select {
		case <-f.ended:
			ctx, cancel := context.WithTimeout(ctx, finishTimeout)
			defer cancel()
			f.drain(ctx)
			return
		case <-time.After(pollInterval):
			f.drain(ctx)
		}
	}
}

// drain copies until the end of the file. Errors wait for the next round: the agent may be restarting,
// and a task that has not printed anything may have no file yet.
func (f *follower) drain(ctx context.Context) {
	for {
		r, err := f.client.Agent(ctx, f.address, &agent.Call{
			Type:     agent.Call_READ_FILE.Enum(),
			ReadFile: &agent.Call_ReadFile{Path: new(f.path), Offset: new(f.offset), Length: new(uint64(chunk))},
		})
		if status, ok := errors.AsType[*masterclient.StatusError](err); ok && status.Code == http.StatusNotFound {
			err = nil
		}
		f.err = err
		data := r.GetReadFile().GetData()
		if err != nil || len(data) == 0 {
			return
		}
		f.offset += uint64(len(data))
		if _, f.err = f.out.Write(data); f.err != nil {
			return
		}
	}
}
