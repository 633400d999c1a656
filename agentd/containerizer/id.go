package containerizer

import (
	"strings"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// separator stands between the names of a container and its parent. Mesos
// forbids it inside of a name.
const separator = "."

// ID is a ContainerID as a comparable value: its names from the outermost
// container inwards, joined by dots.
type ID string

// IDOf converts a ContainerID.
func IDOf(id *mesos.ContainerID) ID {
	if id == nil {
		return ""
	}
	if id.Parent == nil {
		return ID(id.GetValue())
	}
	return IDOf(id.Parent) + separator + ID(id.GetValue())
}

// Proto converts back.
func (id ID) Proto() *mesos.ContainerID {
	var out *mesos.ContainerID
	for name := range strings.SplitSeq(string(id), separator) {
		out = &mesos.ContainerID{Value: new(name), Parent: out}
	}
	return out
}

// Parent returns the container that this one is nested in; "" for none.
func (id ID) Parent() ID {
	i := strings.LastIndex(string(id), separator)
	if i < 0 {
		return ""
	}
	return id[:i]
}

// Child names a container directly below this one.
func (id ID) Child(name string) ID { return id + separator + ID(name) }

// Within says whether this container is nested in another, at any depth.
func (id ID) Within(other ID) bool { return strings.HasPrefix(string(id), string(other)+separator) }

// Root returns the outermost container, which may be id itself.
func (id ID) Root() ID {
	root, _, _ := strings.Cut(string(id), separator)
	return ID(root)
}

// Name returns the innermost name.
func (id ID) Name() string {
	return string(id[strings.LastIndex(string(id), separator)+1:])
}

// Depth is 0 for an outermost container, 1 for those directly below it.
func (id ID) Depth() int { return strings.Count(string(id), separator) }

// String implements fmt.Stringer.
func (id ID) String() string { return string(id) }
