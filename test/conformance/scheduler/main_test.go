// Package scheduler tests /api/v1/scheduler of the real masterd over a socket:
// statuses, the order of events, both content types. Agents are libprocess peers
// made by hand.
package scheduler

import (
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

func TestMain(m *testing.M) { testbed.Main(m) }
