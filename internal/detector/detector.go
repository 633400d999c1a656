package detector

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/go-logr/logr"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
	"github.com/mesos-operator/mesos-operator/internal/tlsconfig"
	"github.com/mesos-operator/mesos-operator/internal/zookeeper"
)

// ErrNoLeader says that a master answered and knows of no leader.
var ErrNoLeader = errors.New("no master leads")

// Config holds the settings of a Detector.
type Config struct {
	// Masters is the text that says where masters are; see the package's
	// comment. Required.
	Masters string
	// Timeout bounds one question. Default 5 s.
	Timeout time.Duration
	// Pause is between the first two rounds of questions; it grows up to
	// MaxPause, and differs from agent to agent by chance. Default 250 ms and 5 s.
	Pause, MaxPause time.Duration
	// ZooKeeperTimeout is that of sessions. Default zookeeper.DefaultTimeout.
	ZooKeeperTimeout time.Duration
	// Dial opens connections to masters. Default: a net.Dialer, to all
	// addresses of a name.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// TLS secures connections to masters; nil: they are in the clear.
	TLS *tlsconfig.Source
	// Lookup returns the addresses of a name. Default: the system's resolver.
	Lookup func(ctx context.Context, host string) ([]string, error)
	Log    logr.Logger
}

func (c Config) withDefaults() Config {
	for field, value := range map[*time.Duration]time.Duration{
		&c.Timeout: 5 * time.Second, &c.Pause: 250 * time.Millisecond, &c.MaxPause: 5 * time.Second,
		&c.ZooKeeperTimeout: zookeeper.DefaultTimeout,
	} {
		if *field == 0 {
			*field = value
		}
	}
	if c.Lookup == nil {
		c.Lookup = net.DefaultResolver.LookupHost
	}
	if c.Log.GetSink() == nil {
		c.Log = logr.Discard()
	}
	return c
}

// Detector finds the leading master. It may be used from any goroutine.
type Detector struct {
	cfg    Config
	client *http.Client
}

// New returns a Detector.
func New(cfg Config) (*Detector, error) {
	if err := Validate(cfg.Masters); err != nil {
		return nil, fmt.Errorf("where masters are: %w", err)
	}
	cfg = cfg.withDefaults()
	dial := cfg.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	// A connection is used once: the next question may be for another master
	// behind the same address.
	transport := &http.Transport{DialContext: dial, DisableKeepAlives: true}
	cfg.TLS.Transport(transport, dial)
	return &Detector{cfg: cfg, client: &http.Client{
		Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}}, nil
}

// Detect returns the PID of the leading master. It looks until there is one, and
// fails only with its context.
func (d *Detector) Detect(ctx context.Context) (string, error) {
	last := ""
	for pause := d.cfg.Pause; ; pause = min(2*pause, d.cfg.MaxPause) {
		pid, err := d.look(ctx)
		if err == nil {
			return pid, nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if reason := err.Error(); reason != last {
			d.cfg.Log.Info("leading master not found yet", "reason", reason)
			last = reason
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(pause/2 + rand.N(pause)):
		}
	}
}

// look is one round.
func (d *Detector) look(ctx context.Context) (string, error) {
	s, err := load(d.cfg.Masters)
	switch {
	case err != nil:
		return "", err
	case s.zooKeeper != nil:
		return d.watch(ctx, *s.zooKeeper)
	}
	return d.askAll(ctx, d.addresses(ctx, s.masters))
}

// stagger is how long one master has before the next is asked as well: one that
// is cut off must not hold up the others' answers.
const stagger = 300 * time.Millisecond

// askAll asks masters, each a little after the one before or when that failed,
// and takes the first answer.
func (d *Detector) askAll(ctx context.Context, addresses []string) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		pid string
		err error
	}
	answers := make(chan answer, len(addresses))
	var errs []error
	asked := 0
	for len(errs) < len(addresses) {
		var next <-chan time.Time
		if asked < len(addresses) {
			address := addresses[asked]
			asked++
			go func() {
				pid, err := d.ask(ctx, address)
				if err != nil {
					err = fmt.Errorf("%s: %w", address, err)
				}
				answers <- answer{pid, err}
			}()
			next = time.After(stagger)
		}
		select {
		case a := <-answers:
			if a.err == nil {
				return a.pid, nil
			}
			errs = append(errs, a.err)
		case <-next:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	return "", errors.Join(errs...)
}

// Superseded waits until another master than the one of a PID leads. Only
// ZooKeeper tells; elsewhere, and while ZooKeeper is away, it waits for its
// context, whose error it returns.
func (d *Detector) Superseded(ctx context.Context, pid string) error {
	s, err := load(d.cfg.Masters)
	if err != nil || s.zooKeeper == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	_, err = d.watchFor(ctx, *s.zooKeeper, func(leader string) bool { return leader != pid })
	return err
}

// watch waits until a master leads in ZooKeeper.
func (d *Detector) watch(ctx context.Context, u zookeeper.URL) (string, error) {
	return d.watchFor(ctx, u, func(string) bool { return true })
}

// watchFor waits until a master leads that will do.
func (d *Detector) watchFor(ctx context.Context, u zookeeper.URL, willDo func(pid string) bool) (string, error) {
	ctx, found := context.WithCancel(ctx)
	defer found()
	leader := ""
	cfg := zookeeper.Config{URL: u, Timeout: d.cfg.ZooKeeperTimeout, Log: d.cfg.Log}
	zookeeper.Watch(ctx, cfg, func(info *mesos.MasterInfo) {
		if info == nil || leader != "" {
			return
		}
		pid, err := pidOf(info)
		if err != nil {
			d.cfg.Log.Error(err, "the leading master can't be reached", "url", u.String())
		} else if willDo(pid) {
			leader = pid
			found()
		}
	})
	if leader == "" {
		return "", ctx.Err()
	}
	return leader, nil
}

// pidOf is a master's PID; old ones say only where they are.
func pidOf(info *mesos.MasterInfo) (string, error) {
	if pid, err := libprocess.ParsePID(info.GetPid()); err == nil {
		return pid.String(), nil
	}
	a := libprocess.Address{Host: info.GetAddress().GetIp(), Port: uint16(info.GetAddress().GetPort())}
	pid, err := libprocess.ParsePID(libprocess.PID{ID: masterID, Address: a}.String())
	if err != nil {
		return "", fmt.Errorf("the leading master's PID is %q: %w", info.GetPid(), err)
	}
	return pid.String(), nil
}
