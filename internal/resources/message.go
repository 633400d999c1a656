package resources

import (
	"maps"
	"sync/atomic"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// UpgradeMessage is [Upgrade] for every resource anywhere in a message, in place. Those whose
// reservations are invalid stay as they are, so that [Validate] still fails for them.
func UpgradeMessage(m proto.Message) {
	_ = walk(m.ProtoReflect(), func(r *mesos.Resource) error {
		if validateReservations(r) == nil {
			Upgrade([]*mesos.Resource{r})
		}
		return nil
	})
}

// DowngradeMessage is [Downgrade] for every resource anywhere in a message. It changes the message,
// so give it a copy of what others look at. It fails with [ErrRefined].
func DowngradeMessage(m proto.Message) error {
	return walk(m.ProtoReflect(), func(r *mesos.Resource) error {
		if len(r.Reservations) > 1 {
			return ErrRefined
		}
		setSingle(r)
		r.Reservations = nil
		return nil
	})
}

// EndpointMessage is [Endpoint] for every resource anywhere in a message. It changes the message, so
// give it a copy of what others look at.
func EndpointMessage(m proto.Message) {
	_ = walk(m.ProtoReflect(), func(r *mesos.Resource) error {
		setSingle(r)
		return nil
	})
}

// ValidateMessage is [Validate] for every resource anywhere in a message.
func ValidateMessage(m proto.Message) error {
	return walk(m.ProtoReflect(), func(r *mesos.Resource) error {
		return ValidateAll([]*mesos.Resource{r})
	})
}

func walk(m protoreflect.Message, visit func(*mesos.Resource) error) error {
	if r, ok := m.Interface().(*mesos.Resource); ok {
		return visit(r)
	}
	for _, fd := range resourceFields(m.Descriptor()) {
		if !m.Has(fd) {
			continue
		}
		if err := walkField(m.Get(fd), fd, visit); err != nil {
			return err
		}
	}
	return nil
}

func walkField(v protoreflect.Value, fd protoreflect.FieldDescriptor, visit func(*mesos.Resource) error) error {
	if !fd.IsList() {
		return walk(v.Message(), visit)
	}
	for i := range v.List().Len() {
		if err := walk(v.List().Get(i).Message(), visit); err != nil {
			return err
		}
	}
	return nil
}

// fieldsByMessage remembers which fields of a message lead to a resource. The map is replaced, never
// changed, so that readers need no lock; of two that learn at once one may have to learn again. Its
// size is bounded by the number of message types.
var fieldsByMessage atomic.Pointer[map[protoreflect.FullName][]protoreflect.FieldDescriptor]

func resourceFields(d protoreflect.MessageDescriptor) []protoreflect.FieldDescriptor {
	known := map[protoreflect.FullName][]protoreflect.FieldDescriptor{}
	if p := fieldsByMessage.Load(); p != nil {
		if fields, ok := (*p)[d.FullName()]; ok {
			return fields
		}
		known = maps.Clone(*p)
	}
	var out []protoreflect.FieldDescriptor
	for i := range d.Fields().Len() {
		fd := d.Fields().Get(i)
		if fd.Message() != nil && !fd.IsMap() && leadsToResource(fd.Message(), map[protoreflect.FullName]bool{}) {
			out = append(out, fd)
		}
	}
	known[d.FullName()] = out
	fieldsByMessage.Store(&known)
	return out
}

func leadsToResource(d protoreflect.MessageDescriptor, seen map[protoreflect.FullName]bool) bool {
	if d.FullName() == (*mesos.Resource)(nil).ProtoReflect().Descriptor().FullName() {
		return true
	}
	if seen[d.FullName()] {
		return false
	}
	seen[d.FullName()] = true
	for i := range d.Fields().Len() {
		fd := d.Fields().Get(i)
		if fd.Message() != nil && !fd.IsMap() && leadsToResource(fd.Message(), seen) {
			return true
		}
	}
	return false
}
