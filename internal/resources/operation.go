package resources

import (
	"errors"
	"fmt"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Errors of operations. They are wrapped by what [Resources.Apply] and [Conversions] return.
var (
	// ErrNotContained says that the resources which an operation consumes are not there.
	ErrNotContained = errors.New("resources are not there")
	// ErrStillShared says that a volume can't be destroyed while others hold copies of it.
	ErrStillShared = errors.New("shared volume is still in use")
	// ErrNotConvertible says that an operation turns no resources into others, or that its outcome is
	// for a resource provider to decide.
	ErrNotConvertible = errors.New("operation does not convert resources")
)

// Conversion is the effect of an operation on resources.
type Conversion struct {
	Consumed, Converted Resources
	// gone must not be contained in the outcome.
	gone Resources
}

// Apply consumes and adds. It fails with ErrNotContained or ErrStillShared.
func (c Conversion) Apply(r Resources) (Resources, error) {
	if !r.Contains(c.Consumed) {
		return Resources{}, fmt.Errorf("%w: '%s' does not contain '%s'", ErrNotContained, r, c.Consumed)
	}
	out := r.Subtract(c.Consumed).Add(c.Converted)
	if !c.gone.IsEmpty() && out.Contains(c.gone) {
		return Resources{}, fmt.Errorf("%w: '%s'", ErrStillShared, c.gone)
	}
	return out, nil
}

// Unallocate is the same conversion of resources that carry no allocation_info.
func (c Conversion) Unallocate() Conversion {
	return Conversion{Consumed: c.Consumed.Unallocate(), Converted: c.Converted.Unallocate(), gone: c.gone.Unallocate()}
}

// OfTotal are the conversions as they apply to an agent's total: without allocation_info, and without
// the additional copies of shared volumes, which a total has once.
func OfTotal(conversions []Conversion) []Conversion {
	var out []Conversion
	for _, c := range conversions {
		if !c.Consumed.IsEmpty() {
			out = append(out, c.Unallocate())
		}
	}
	return out
}

// Apply is the outcome of an operation on r: RESERVE, UNRESERVE, CREATE, DESTROY, GROW_VOLUME or
// SHRINK_VOLUME. The resources in it may be in either form of reservations. Whether the framework may
// do that, and whether roles and principals are right, was checked before.
func (r Resources) Apply(op *mesos.Offer_Operation) (Resources, error) {
	conversions, err := Conversions(op)
	if err != nil {
		return Resources{}, err
	}
	return r.ApplyConversions(conversions)
}

// ApplyConversions applies them one after the other.
func (r Resources) ApplyConversions(conversions []Conversion) (Resources, error) {
	for _, c := range conversions {
		next, err := c.Apply(r)
		if err != nil {
			return Resources{}, err
		}
		r = next
	}
	return r, nil
}

// Conversions is what an operation does to resources. For CREATE_DISK and DESTROY_DISK it fails with
// ErrNotConvertible, for the provider decides, and for LAUNCH and LAUNCH_GROUP, for they convert
// nothing.
func Conversions(op *mesos.Offer_Operation) ([]Conversion, error) {
	var out []Conversion
	var err error
	switch op.GetType() {
	case mesos.Offer_Operation_RESERVE:
		out, err = reserve(op.GetReserve())
	case mesos.Offer_Operation_UNRESERVE:
		out, err = unreserve(op.GetUnreserve())
	case mesos.Offer_Operation_CREATE:
		out, err = create(op.GetCreate())
	case mesos.Offer_Operation_DESTROY:
		out, err = destroy(op.GetDestroy())
	case mesos.Offer_Operation_GROW_VOLUME:
		out, err = grow(op.GetGrowVolume())
	case mesos.Offer_Operation_SHRINK_VOLUME:
		out, err = shrink(op.GetShrinkVolume())
	default:
		err = ErrNotConvertible
	}
	if err != nil {
		return nil, fmt.Errorf("converting resources of %s: %w", op.GetType(), err)
	}
	return out, nil
}

// Consumed is what an operation takes before it gives anything: for those that [Conversions] knows, all
// that they consume, and for CREATE_DISK and DESTROY_DISK their source.
func Consumed(op *mesos.Offer_Operation) (Resources, error) {
	switch op.GetType() {
	case mesos.Offer_Operation_CREATE_DISK:
		return New([]*mesos.Resource{op.GetCreateDisk().GetSource()})
	case mesos.Offer_Operation_DESTROY_DISK:
		return New([]*mesos.Resource{op.GetDestroyDisk().GetSource()})
	}
	conversions, err := Conversions(op)
	var out Resources
	for _, c := range conversions {
		out = out.Add(c.Consumed)
	}
	return out, err
}

// Lists are the resources that an operation names, field by field: all but those of tasks.
func Lists(op *mesos.Offer_Operation) [][]*mesos.Resource {
	one := func(r *mesos.Resource) []*mesos.Resource {
		if r == nil {
			return nil
		}
		return []*mesos.Resource{r}
	}
	return [][]*mesos.Resource{
		op.GetReserve().GetSource(), op.GetReserve().GetResources(), op.GetUnreserve().GetResources(),
		op.GetCreate().GetVolumes(), op.GetDestroy().GetVolumes(),
		one(op.GetGrowVolume().GetVolume()), one(op.GetGrowVolume().GetAddition()),
		one(op.GetShrinkVolume().GetVolume()),
		one(op.GetCreateDisk().GetSource()), one(op.GetDestroyDisk().GetSource()),
	}
}

// ProviderOf is the resource provider that an operation is for, nil for the agent itself. That its
// resources are all of one provider was checked before.
func ProviderOf(op *mesos.Offer_Operation) *mesos.ResourceProviderID {
	for _, list := range Lists(op) {
		if len(list) > 0 {
			return list[0].GetProviderId()
		}
	}
	return nil
}

func reserve(op *mesos.Offer_Operation_Reserve) ([]Conversion, error) {
	reserved, err := New(op.GetResources())
	if err != nil {
		return nil, err
	}
	// Without a source, one reservation is pushed.
	if len(op.GetSource()) == 0 {
		source, err := reserved.PopReservation()
		if err != nil {
			return nil, err
		}
		return []Conversion{{Consumed: source, Converted: reserved}}, nil
	}
	source, err := New(op.GetSource())
	if err != nil {
		return nil, err
	}
	return []Conversion{{Consumed: source, Converted: reserved}}, nil
}

func unreserve(op *mesos.Offer_Operation_Unreserve) ([]Conversion, error) {
	reserved, err := New(op.GetResources())
	if err != nil {
		return nil, err
	}
	var out []Conversion
	for it := range reserved.All() {
		rest, err := it.Resources().PopReservation()
		if err != nil {
			return nil, err
		}
		out = append(out, Conversion{Consumed: it.Resources(), Converted: rest})
	}
	return out, nil
}

func create(op *mesos.Offer_Operation_Create) ([]Conversion, error) {
	volumes, err := volumeItems(op.GetVolumes())
	if err != nil {
		return nil, err
	}
	var out []Conversion
	for _, v := range volumes {
		out = append(out, Conversion{Consumed: v.withoutVolume().Resources(), Converted: v.Resources()})
	}
	return out, nil
}

func destroy(op *mesos.Offer_Operation_Destroy) ([]Conversion, error) {
	volumes, err := volumeItems(op.GetVolumes())
	if err != nil {
		return nil, err
	}
	var out []Conversion
	for _, v := range volumes {
		out = append(out, Conversion{
			Consumed: v.Resources(), Converted: v.withoutVolume().Resources(), gone: v.Resources(),
		})
	}
	return out, nil
}

func grow(op *mesos.Offer_Operation_GrowVolume) ([]Conversion, error) {
	volume, err := growable(op.GetVolume())
	if err != nil {
		return nil, err
	}
	addition, err := New([]*mesos.Resource{op.GetAddition()})
	if err != nil {
		return nil, err
	}
	if addition.Len() != 1 || addition.items[0].kind.typ != mesos.Value_SCALAR {
		return nil, invalid("the addition to a volume is some disk")
	}
	grown := volume
	grown.scalar = grown.scalar.plus(addition.items[0].scalar)
	return []Conversion{{Consumed: volume.Resources().Add(addition), Converted: grown.Resources()}}, nil
}

func shrink(op *mesos.Offer_Operation_ShrinkVolume) ([]Conversion, error) {
	volume, err := growable(op.GetVolume())
	if err != nil {
		return nil, err
	}
	subtract := ScalarOf(op.GetSubtract().GetValue())
	if subtract <= 0 || subtract > volume.scalar {
		return nil, invalid("can't shrink '%s' by %s", volume, subtract)
	}
	freed := volume.withoutVolume()
	freed.scalar = subtract
	volumeLeft := volume
	volumeLeft.scalar -= subtract
	converted := volumeLeft.Resources().Add(freed.Resources())
	return []Conversion{{Consumed: volume.Resources(), Converted: converted}}, nil
}

// growable is a volume that may change its size: any but those of resource providers.
func growable(r *mesos.Resource) (Item, error) {
	volumes, err := volumeItems([]*mesos.Resource{r})
	if err != nil {
		return Item{}, err
	}
	if len(volumes) != 1 {
		return Item{}, invalid("the volume is empty")
	}
	if volumes[0].kind.provided {
		return Item{}, fmt.Errorf("%w: the volume is of a resource provider", ErrNotConvertible)
	}
	return volumes[0], nil
}

// volumeItems are the volumes, all of which must have a persistence.
func volumeItems(rs []*mesos.Resource) ([]Item, error) {
	volumes, err := New(rs)
	if err != nil {
		return nil, err
	}
	for _, it := range volumes.items {
		if !it.IsPersistentVolume() {
			return nil, invalid("'%s' is not a persistent volume", it)
		}
	}
	return volumes.items, nil
}
