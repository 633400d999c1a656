package zookeeper

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Watch tells who leads the group of masters, now and at each change, until ctx
// ends. nil is nobody: there is no master, or the ensemble can't be asked. It
// goes on over the ends of sessions; leads is called from one goroutine.
func Watch(ctx context.Context, cfg Config, leads func(*mesos.MasterInfo)) {
	var last *mesos.MasterInfo
	told := false
	tell := func(info *mesos.MasterInfo) {
		if !told || !proto.Equal(last, info) {
			leads(info)
		}
		last, told = info, true
	}
	for pause := time.Duration(0); ctx.Err() == nil; pause = min(max(2*pause, 250*time.Millisecond), 5*time.Second) {
		if pause > 0 {
			sleep(ctx, pause/2+rand.N(pause))
		}
		err := watch(ctx, cfg, tell)
		if ctx.Err() != nil {
			return
		}
		tell(nil)
		cfg.Log.Info("the leader is not known while ZooKeeper can't be asked", "severity", "warning", "reason", err.Error())
		if errors.Is(err, ErrLost) {
			pause = 0
		}
	}
}

// watch is one session of Watch.
func watch(ctx context.Context, cfg Config, tell func(*mesos.MasterInfo)) error {
	s, err := Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer s.Close()
	g := NewGroup(s, cfg.URL)
	for {
		names, changed, err := g.Members(ctx)
		if err != nil {
			return err
		}
		m, info, err := g.Leader(ctx, names)
		if err != nil {
			if errors.Is(err, ErrLost) || ctx.Err() != nil {
				return err
			}
			// Somebody has written what can't be read; it may go again.
			cfg.Log.Error(err, "the leading master can't be told", "node", m.Name)
		}
		if m.Name == "" || info != nil || err != nil {
			tell(info)
		} // else it went while it was read, and changed delivers
		select {
		case <-changed:
		case <-s.Done():
			return s.Err()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
