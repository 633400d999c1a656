package memory_test

import (
	"testing"

	"github.com/mesos-operator/mesos-operator/masterd/registry"
	"github.com/mesos-operator/mesos-operator/masterd/registry/memory"
	"github.com/mesos-operator/mesos-operator/masterd/registry/storetest"
)

func TestStore(t *testing.T) {
	storetest.Suite{Open: func(*testing.T, string) registry.Store { return memory.New() }}.Run(t)
}
