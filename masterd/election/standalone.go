package election

import (
	"context"
	"fmt"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Standalone elects the only master there is, at once and for as long as it
// runs.
type Standalone struct {
	self *mesos.MasterInfo
}

// NewStandalone returns an elector for a master without peers.
func NewStandalone(self *mesos.MasterInfo) *Standalone { return &Standalone{self: self} }

// Leader returns this master.
func (s *Standalone) Leader() *mesos.MasterInfo { return s.self }

// Run implements Elector.
func (s *Standalone) Run(ctx context.Context, lead Term) error {
	if err := lead(ctx, s.self); err != nil && ctx.Err() == nil {
		return fmt.Errorf("leading: %w", err)
	}
	return nil
}
