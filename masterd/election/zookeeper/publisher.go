package zookeeper

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/zookeeper"
)

// removedPause is how long a leader whose node was removed waits before it puts
// another: it was removed by a new leader, and this one learns it by then.
const removedPause = 2 * time.Second

// Publisher shows a master in the group while it leads. Lead and Follow may be
// called from any goroutine.
type Publisher struct {
	cfg Config
	log logr.Logger

	mu      sync.Mutex
	leading *leading
	changed chan struct{} // holds a token when leading changed
}

// leading is who leads, and who did before.
type leading struct{ self, previous *mesos.MasterInfo }

// NewPublisher returns a publisher that shows nobody yet.
func NewPublisher(cfg Config) *Publisher {
	return &Publisher{cfg: cfg, log: cfg.Log, changed: make(chan struct{}, 1)}
}

// Lead asks for the node of this master, and for the absence of the one of the
// leader before it, which ZooKeeper keeps for a while if that crashed. It
// returns at once.
func (p *Publisher) Lead(self, previous *mesos.MasterInfo) { p.set(&leading{self, previous}) }

// Follow asks for the absence of the node.
func (p *Publisher) Follow() { p.set(nil) }

func (p *Publisher) set(l *leading) {
	p.mu.Lock()
	p.leading = l
	p.mu.Unlock()
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

func (p *Publisher) current() *leading {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.leading
}

// Run does what is asked for until ctx ends, which takes the node away.
func (p *Publisher) Run(ctx context.Context) {
	for ctx.Err() == nil {
		l := p.current()
		if l == nil {
			select {
			case <-p.changed:
			case <-ctx.Done():
			}
			continue
		}
		err := p.publish(ctx, l)
		if ctx.Err() != nil || p.current() != l {
			continue
		}
		pause := minPause + rand.N(minPause)
		if errors.Is(err, errNodeGone) {
			pause = removedPause
		}
		p.log.Info("this master leads and is not in ZooKeeper's group", "severity", "warning", "reason", err.Error())
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// publish shows a leader for as long as a session and its leadership last. The
// node goes with the session.
func (p *Publisher) publish(ctx context.Context, l *leading) error {
	session, err := p.open(ctx, l)
	if err != nil {
		return err
	}
	defer session.Close()
	g := zookeeper.NewGroup(session, p.cfg.URL)
	if err := p.clear(ctx, g, l); err != nil {
		return err
	}
	member, err := g.Join(ctx, l.self)
	if err != nil {
		return err
	}
	p.log.Info("leading master", "pid", l.self.GetPid(), "node", member.Name, "url", p.cfg.URL.String())
	for p.current() == l {
		names, changed, err := g.Members(ctx)
		if err != nil {
			return err
		}
		if !slices.Contains(names, member.Name) {
			return errNodeGone
		}
		if m, _, _ := g.Leader(ctx, names); m != member { // whatever the other says of itself
			p.log.Info("a master that is not of this registry leads ZooKeeper's group", "severity", "warning", "node", m.Name)
		}
		select {
		case <-changed:
		case <-p.changed:
		case <-session.Done():
			return session.Err()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// open gives up when the leadership changes: an ensemble that is down must not
// keep this master from following.
func (p *Publisher) open(ctx context.Context, l *leading) (*zookeeper.Session, error) {
	opening, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for p.current() == l {
			select {
			case <-time.After(minPause):
			case <-stop:
				return
			}
		}
		cancel()
	}()
	return zookeeper.Open(opening, p.cfg.session())
}

// clear removes what this master and the leader before it have left behind in
// an earlier life. Masters of others are none of its business.
func (p *Publisher) clear(ctx context.Context, g *zookeeper.Group, l *leading) error {
	names, _, err := g.Members(ctx)
	if err != nil {
		return err
	}
	for _, m := range zookeeper.ParseMembers(names) {
		info, err := g.Info(ctx, m)
		if errors.Is(err, zookeeper.ErrLost) || ctx.Err() != nil {
			return err
		}
		if !same(info, l.self) && !same(info, l.previous) {
			continue
		}
		p.log.Info("removing the node of an earlier leader", "pid", info.GetPid(), "node", m.Name)
		if err := g.Leave(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// same compares what stays the same over a master's terms. The PID alone would
// not do: masters behind one address share it.
func same(a, b *mesos.MasterInfo) bool {
	return a != nil && b != nil && a.GetPid() == b.GetPid() && a.GetHostname() == b.GetHostname()
}
