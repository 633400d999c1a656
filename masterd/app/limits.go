package app

import (
	"fmt"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// rateLimits reads --rate_limits; nil without it.
func (f *Flags) rateLimits() (*mesos.RateLimits, error) {
	if f.RateLimits == nil {
		return nil, nil
	}
	limits := &mesos.RateLimits{}
	if err := codec.Unmarshal(codec.JSON, *f.RateLimits, limits); err != nil {
		return nil, fmt.Errorf("flag --rate_limits: %w", err)
	}
	return limits, nil
}

// validateMachine checks the settings of the machine before there is one.
func (f *Flags) validateMachine() error {
	if _, err := f.rateLimits(); err != nil {
		return err
	}
	if err := f.machine(&mesos.MasterInfo{Id: new("any")}, false).Validate(); err != nil {
		return fmt.Errorf("flags: %w", err)
	}
	return nil
}

// limits sets what bounds frameworks. Validate has read the flags before.
func (f *Flags) limits(c *state.Config) {
	c.RateLimits, _ = f.rateLimits()
	c.OfferConstraints = f.constraints()
	if f.MaxExecutorsPerAgent != nil {
		c.MaxExecutorsPerAgent = *f.MaxExecutorsPerAgent
	}
}
