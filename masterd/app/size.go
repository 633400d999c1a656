package app

import (
	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
)

type registryMessage = registry.Registry

// registrySize is a metric.
func (a *App) registrySize() int { return proto.Size(a.store.Snapshot()) }
