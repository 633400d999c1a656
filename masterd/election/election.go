// Package election decides which of several masters leads.
//
// A master that doesn't lead only redirects; the one that leads runs the state
// machine. The application (masterd/app) hands an Elector what to do for the
// length of a term and asks it, for redirects, who leads. Nothing else uses
// the package.
package election

import (
	"context"
	"errors"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// ErrDeposed is wrapped by the error of a Term that noticed, before its elector
// did, that another master leads. It is no failure.
var ErrDeposed = errors.New("another master leads")

// Term is what a master does while it leads, as the self that was elected:
// every term has an ID of its own. Its context ends when leadership
// is lost or the master stops; it must then return soon, because another
// master may lead already. An error means that this master can't lead.
type Term func(ctx context.Context, self *mesos.MasterInfo) error

// Elector runs terms: at most one at a time in the whole ensemble, as far as
// clocks and networks allow. What must never be done by two masters is guarded
// by the registry, whose writes fail for a master that was deposed.
type Elector interface {
	// Run contends for leadership until ctx ends, which is no error, or lead
	// fails. It calls lead once per term and never twice at the same time.
	Run(ctx context.Context, lead Term) error
	// Leader returns the leading master, or nil if none is known.
	Leader() *mesos.MasterInfo
}
