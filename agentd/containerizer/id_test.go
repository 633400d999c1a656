package containerizer

import (
	"testing"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func TestID(t *testing.T) {
	tests := map[string]struct {
		proto            *mesos.ContainerID
		id, parent, root ID
		name             string
	}{
		"outermost": {
			proto: &mesos.ContainerID{Value: new("a")},
			id:    "a", root: "a", name: "a",
		},
		"nested twice": {
			proto: &mesos.ContainerID{Value: new("c"), Parent: &mesos.ContainerID{
				Value: new("b"), Parent: &mesos.ContainerID{Value: new("a")},
			}},
			id: "a.b.c", parent: "a.b", root: "a", name: "c",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			id := IDOf(tt.proto)
			if id != tt.id || id.Parent() != tt.parent || id.Root() != tt.root || id.Name() != tt.name {
				t.Errorf("got %q, parent %q, root %q, name %q", id, id.Parent(), id.Root(), id.Name())
			}
			if back := id.Proto(); !proto.Equal(back, tt.proto) {
				t.Errorf("Proto() = %v, want %v", back, tt.proto)
			}
		})
	}
	if IDOf(nil) != "" {
		t.Error("nil is not the empty ID")
	}
}
