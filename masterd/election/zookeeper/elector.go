package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/zookeeper"
	"github.com/mesos-operator/mesos-operator/masterd/election"
)

// Config says where the group is and who contends.
type Config struct {
	// URL is the group's (--zk).
	URL zookeeper.URL
	// Timeout is that of sessions (--zk_session_timeout): a leader that is dead
	// or cut off leads no longer than that.
	Timeout time.Duration
	// Identify returns what this master tells of itself, with an ID that is new
	// each time: every candidacy is another. An Elector needs it.
	Identify func() *mesos.MasterInfo
	Log      logr.Logger
}

func (c Config) session() zookeeper.Config {
	return zookeeper.Config{URL: c.URL, Timeout: c.Timeout, Log: c.Log}
}

// Elector implements election.Elector.
type Elector struct {
	cfg Config
	log logr.Logger

	mu     sync.Mutex
	leader *mesos.MasterInfo
}

var _ election.Elector = (*Elector)(nil)

// New returns an elector.
func New(cfg Config) *Elector { return &Elector{cfg: cfg, log: cfg.Log} }

// Leader implements election.Elector. While ZooKeeper can't be asked nobody is
// known to lead.
func (e *Elector) Leader() *mesos.MasterInfo {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.leader
}

func (e *Elector) setLeader(info *mesos.MasterInfo) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if info.GetId() != e.leader.GetId() {
		e.log.Info("leading master", "pid", info.GetPid(), "id", info.GetId())
	}
	e.leader = info
}

// Pauses between two candidacies that fail at once.
const (
	minPause = 200 * time.Millisecond
	maxPause = 5 * time.Second
)

// Run implements election.Elector. A session that is lost ends the term, and
// this master contends again, as the last in line.
func (e *Elector) Run(ctx context.Context, lead election.Term) error {
	for pause := minPause; ctx.Err() == nil; pause = min(2*pause, maxPause) {
		began := time.Now()
		err := e.contend(ctx, lead)
		e.setLeader(nil)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, new(failure)), errors.Is(err, zookeeper.ErrDenied):
			return err
		}
		e.log.Info("contending again", "reason", err.Error())
		if time.Since(began) > maxPause {
			pause = minPause
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause/2 + rand.N(pause)):
		}
	}
	return nil
}

// failure is the error of a term: this master can't lead.
type failure struct{ error }

// Unwrap returns the term's error.
func (f failure) Unwrap() error { return f.error }

// contend is one candidacy, in one session. It returns why it ended.
func (e *Elector) contend(ctx context.Context, lead election.Term) error {
	session, err := zookeeper.Open(ctx, e.cfg.session())
	if err != nil {
		return err
	}
	defer session.Close() // the node goes with it
	c := &candidacy{
		elector: e, session: session, group: zookeeper.NewGroup(session, e.cfg.URL), self: e.cfg.Identify(), lead: lead,
	}
	if c.member, err = c.group.Join(ctx, c.self); err != nil {
		return err
	}
	e.log.Info("contending for the leadership", "node", c.member.Name, "url", e.cfg.URL.String())
	return c.run(ctx)
}

// candidacy is a master's node in the group.
type candidacy struct {
	elector *Elector
	session *zookeeper.Session
	group   *zookeeper.Group
	self    *mesos.MasterInfo
	member  zookeeper.Member
	lead    election.Term

	end  context.CancelFunc // of the term; nil before it
	done chan error         // what the term returned
}

// errNodeGone says that somebody removed this master's node.
var errNodeGone = errors.New("the node of this master is gone from the group")

// errOvertaken says that a master with a lower number appeared.
var errOvertaken = errors.New("another master has a lower number")

// run watches the group and leads when it is this master's turn. However it
// ends, the term has ended before.
func (c *candidacy) run(ctx context.Context) (err error) {
	defer func() {
		if c.end != nil {
			c.end()
			if ended := c.ended(<-c.done); ended != nil && ctx.Err() == nil && c.session.Err() == nil {
				err = ended
			}
		}
	}()
	for {
		names, changed, err := c.group.Members(ctx)
		if err != nil {
			return err
		}
		if !slices.Contains(names, c.member.Name) {
			return errNodeGone
		}
		if err := c.elect(ctx, names); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-c.session.Done():
			return c.session.Err()
		case <-ctx.Done():
			return ctx.Err()
		case err := <-c.done:
			c.end = nil
			if err := c.ended(err); err != nil {
				return err
			}
			return errors.New("the term ended")
		}
	}
}

// elect sees who leads, and begins the term if it is this master.
func (c *candidacy) elect(ctx context.Context, names []string) error {
	m, info, err := c.group.Leader(ctx, names)
	if m == c.member {
		c.elector.setLeader(c.self)
		if c.end == nil {
			c.begin(ctx)
		}
		return nil
	}
	switch {
	case c.end != nil:
		return errOvertaken
	case err == nil:
		c.elector.setLeader(info)
	case errors.Is(err, zookeeper.ErrLost), ctx.Err() != nil:
		return err
	default:
		c.elector.setLeader(nil)
		c.elector.log.Error(err, "the leading master can't be told", "node", m.Name)
	}
	return nil
}

func (c *candidacy) begin(ctx context.Context) {
	c.elector.log.Info("elected", "node", c.member.Name)
	ctx, c.end = context.WithCancel(ctx)
	c.done = make(chan error, 1)
	go func() { c.done <- c.lead(ctx, c.self) }()
}

// ended tells failures of a term from what happens to every leader.
func (c *candidacy) ended(err error) error {
	if err == nil || errors.Is(err, election.ErrDeposed) || errors.Is(err, context.Canceled) {
		return nil
	}
	return failure{fmt.Errorf("leading: %w", err)}
}
