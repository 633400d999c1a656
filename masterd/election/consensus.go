package election

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-logr/logr"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Ensemble is what a consensus group knows of its leadership. The raft registry
// is one.
type Ensemble interface {
	// Leadership delivers the latest word on whether this member leads,
	// starting with what is true now. Earlier words that nobody took are
	// replaced.
	Leadership() <-chan bool
	// Leader returns the master that leads, or nil if none is known.
	Leader() *mesos.MasterInfo
	// Resign passes leadership on to another member, if there is one.
	Resign() error
}

// Consensus leads whenever its ensemble says that it does.
type Consensus struct {
	ensemble Ensemble
	identify func() *mesos.MasterInfo
	log      logr.Logger
}

// NewConsensus returns an elector that follows the leadership of an ensemble.
// identify returns what this master tells of itself, with a new ID each time.
func NewConsensus(ensemble Ensemble, identify func() *mesos.MasterInfo, log logr.Logger) *Consensus {
	return &Consensus{ensemble: ensemble, identify: identify, log: log}
}

// Leader returns the master that leads the ensemble.
func (c *Consensus) Leader() *mesos.MasterInfo { return c.ensemble.Leader() }

// Run implements Elector. A term that fails, and a leader that is stopped,
// resign, so that a member which can lead gets the chance at once.
func (c *Consensus) Run(ctx context.Context, lead Term) error {
	words := c.ensemble.Leadership()
	leading := false
	for ctx.Err() == nil {
		if leading {
			var err error
			if leading, err = c.term(ctx, words, lead); err != nil {
				return err
			}
			continue
		}
		select {
		case <-ctx.Done():
		case leading = <-words:
		}
	}
	return nil
}

// term runs lead until it returns, and says whether this member was elected
// again meanwhile. Being told so during a term means that somebody else may
// have led in between, so what this term believes is out of date as well.
func (c *Consensus) term(ctx context.Context, words <-chan bool, lead Term) (again bool, err error) {
	c.log.Info("elected")
	term, end := context.WithCancel(ctx)
	defer end()
	done := make(chan error, 1)
	go func() { done <- lead(term, c.identify()) }()
	for {
		select {
		case again = <-words:
			c.log.Info("leadership lost", "electedAgain", again)
			end()
		case err := <-done:
			if ctx.Err() != nil && term.Err() != nil && !again {
				c.resign()
			}
			return again, c.ended(term, err)
		}
	}
}

func (c *Consensus) ended(term context.Context, err error) error {
	switch {
	case err == nil, term.Err() != nil: // loss of leadership, or the end of the process
		return nil
	case errors.Is(err, ErrDeposed):
		c.log.Info("deposed", "reason", err.Error())
		return nil
	}
	c.resign()
	return fmt.Errorf("leading: %w", err)
}

// resign passes the leadership on if it can; a master that is alone can't.
func (c *Consensus) resign() {
	if err := c.ensemble.Resign(); err != nil {
		c.log.V(1).Info("leadership could not be passed on", "reason", err.Error())
	}
}
