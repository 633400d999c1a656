package podlabel

import (
	"context"
	"sync"
	"time"

	"github.com/go-logr/logr"
)

// Labeller keeps the label as it should be. Lead and Follow may be called from
// any goroutine.
type Labeller struct {
	cfg    Config
	client *client
	log    logr.Logger

	mu      sync.Mutex
	leading bool
	changed chan struct{} // holds one token when leading changed
}

// New checks the settings and reads the certificates.
func New(cfg Config, log logr.Logger) (*Labeller, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	client, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	return &Labeller{cfg: cfg, client: client, log: log, changed: make(chan struct{}, 1)}, nil
}

// Lead asks for the label, Follow for its absence; both return at once.
func (l *Labeller) Lead() { l.set(true) }

// Follow asks for the absence of the label.
func (l *Labeller) Follow() { l.set(false) }

func (l *Labeller) set(leading bool) {
	l.mu.Lock()
	l.leading = leading
	l.mu.Unlock()
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

func (l *Labeller) wanted() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.leading
}

// Run applies what is asked for until ctx ends, and then removes the label
// once more. It starts by removing one that an earlier process in the same pod
// may have left.
func (l *Labeller) Run(ctx context.Context) {
	backoff := l.cfg.MinBackoff
	for ctx.Err() == nil {
		wait := l.cfg.Resync
		if l.apply(ctx, l.wanted()) {
			backoff = l.cfg.MinBackoff
		} else {
			wait = backoff
			backoff = min(2*backoff, l.cfg.MaxBackoff)
		}
		l.pause(ctx, wait)
	}
	l.apply(context.WithoutCancel(ctx), false)
}

// apply makes one attempt and reports success.
func (l *Labeller) apply(ctx context.Context, leading bool) bool {
	if err := l.client.apply(ctx, leading); err != nil {
		if ctx.Err() == nil {
			l.log.Error(err, "labelling the pod", "label", l.cfg.Label, "leading", leading)
		}
		return false
	}
	l.log.V(1).Info("labelled the pod", "label", l.cfg.Label, "leading", leading)
	return true
}

// pause waits for time to pass, the wish to change, or the end.
func (l *Labeller) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-l.changed:
	case <-timer.C:
	}
}
