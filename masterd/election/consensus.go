package election

import (
	"context"
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
	log      logr.Logger
}

// NewConsensus returns an elector that follows the leadership of an ensemble.
func NewConsensus(ensemble Ensemble, log logr.Logger) *Consensus {
	return &Consensus{ensemble: ensemble, log: log}
}

// Leader returns the master that leads the ensemble.
func (c *Consensus) Leader() *mesos.MasterInfo { return c.ensemble.Leader() }

// Run implements Elector. A term that fails resigns, so that a member which
// can lead gets the chance.
func (c *Consensus) Run(ctx context.Context, lead Term) error {
	words := c.ensemble.Leadership()
	for {
		select {
		case <-ctx.Done():
			return nil
		case leading := <-words:
			if !leading {
				continue
			}
			if err := c.term(ctx, words, lead); err != nil {
				return err
			}
		}
	}
}

// term runs lead until it returns or leadership is lost.
func (c *Consensus) term(ctx context.Context, words <-chan bool, lead Term) error {
	c.log.Info("elected")
	term, end := context.WithCancel(ctx)
	defer end()
	done := make(chan error, 1)
	go func() { done <- lead(term) }()
	for {
		select {
		case leading := <-words:
			if !leading {
				c.log.Info("leadership lost")
				end()
			}
		case err := <-done:
			return c.ended(term, err)
		}
	}
}

func (c *Consensus) ended(term context.Context, err error) error {
	if term.Err() != nil { // asked to, by loss of leadership or the end of the process
		return nil
	}
	if err == nil {
		return nil
	}
	if resign := c.ensemble.Resign(); resign != nil {
		c.log.Info("leadership could not be passed on", "reason", resign.Error())
	}
	return fmt.Errorf("leading: %w", err)
}
