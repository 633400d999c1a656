package resources

import (
	"encoding/binary"
	"slices"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// identity is what two resources must agree in to be of one kind. It is compared with ==.
type identity struct {
	name      string
	typ       mesos.Value_Type
	allocated bool
	revocable bool
	shared    bool
	provided  bool
	// role is that of allocation_info, provider the resource provider's ID.
	role, provider string
	// stack and disk are canonical encodings of reservations and disk, "" for none. What Mesos
	// leaves out of comparisons (the volume's path, the principal that created it) is not in them.
	stack, disk string
}

// kind is an identity and the messages that it was made from. Kinds are immutable and shared.
type kind struct {
	identity
	// reservedFor is the role of the innermost reservation, "" when there is none.
	reservedFor  string
	reservations []*mesos.Resource_ReservationInfo
	disk         *mesos.Resource_DiskInfo
	allocation   *mesos.Resource_AllocationInfo
	providerID   *mesos.ResourceProviderID
	// whole says that it is handed out as one piece: never merged, never split.
	whole bool
}

func (k *kind) equal(o *kind) bool { return k == o || k.identity == o.identity }

// init fills a kind from a message in either form of reservations.
func (k *kind) init(r *mesos.Resource) {
	k.identity = identity{
		name: r.GetName(), typ: r.GetType(),
		revocable: r.Revocable != nil, shared: r.Shared != nil,
		provided: r.ProviderId != nil, provider: r.GetProviderId().GetValue(),
	}
	k.providerID = r.ProviderId
	k.setAllocation(r.AllocationInfo)
	k.setReservations(reservationStack(r))
	k.setDisk(r.Disk)
}

func (k *kind) setAllocation(a *mesos.Resource_AllocationInfo) {
	k.allocation, k.allocated, k.role = a, a != nil, a.GetRole()
}

func (k *kind) setReservations(stack []*mesos.Resource_ReservationInfo) {
	k.reservations, k.stack, k.reservedFor = nil, "", ""
	if len(stack) == 0 {
		return
	}
	k.reservations = stack
	k.reservedFor = stack[len(stack)-1].GetRole()
	var b []byte
	for _, r := range stack {
		b = append(b, byte(r.GetType()))
		b = appendText(b, r.GetRole())
		b = appendOptional(b, r.Principal)
		b = appendLabels(b, r.Labels)
	}
	k.stack = string(b)
}

func (k *kind) setDisk(d *mesos.Resource_DiskInfo) {
	k.disk, k.identity.disk, k.whole = d, "", false
	if d == nil {
		return
	}
	b := []byte{'d'}
	if d.Persistence != nil {
		b = appendText(append(b, 'v'), d.Persistence.GetId())
		k.whole = true
	}
	if s := d.Source; s != nil {
		b = appendSource(b, s)
		switch s.GetType() {
		case mesos.Resource_DiskInfo_Source_MOUNT, mesos.Resource_DiskInfo_Source_BLOCK:
			k.whole = true
		case mesos.Resource_DiskInfo_Source_RAW:
			k.whole = k.whole || s.Id != nil
		}
	}
	k.identity.disk = string(b)
}

func appendSource(b []byte, s *mesos.Resource_DiskInfo_Source) []byte {
	b = append(b, 's', byte(s.GetType()))
	if s.Path != nil {
		b = appendOptional(append(b, 'p'), s.Path.Root)
	}
	if s.Mount != nil {
		b = appendOptional(append(b, 'm'), s.Mount.Root)
	}
	b = appendOptional(b, s.Vendor)
	b = appendOptional(b, s.Id)
	b = appendOptional(b, s.Profile)
	return appendLabels(b, s.Metadata)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendOptional(b []byte, s *string) []byte {
	if s == nil {
		return append(b, 0)
	}
	return appendText(append(b, 1), *s)
}

// appendLabels encodes labels so that their order doesn't matter.
func appendLabels(b []byte, l *mesos.Labels) []byte {
	if l == nil {
		return append(b, 0)
	}
	encoded := make([]string, 0, len(l.GetLabels()))
	for _, label := range l.GetLabels() {
		encoded = append(encoded, string(appendOptional(appendText(nil, label.GetKey()), label.Value)))
	}
	slices.Sort(encoded)
	b = binary.AppendUvarint(append(b, 1), uint64(len(encoded)))
	for _, e := range encoded {
		b = append(b, e...)
	}
	return b
}

// The messages that say "revocable" and "shared" have no fields, so one of each serves all.
var (
	revocableInfo = &mesos.Resource_RevocableInfo{}
	sharedInfo    = &mesos.Resource_SharedInfo{}
)

// fill sets all but the amount.
func (k *kind) fill(r *mesos.Resource) {
	r.Name, r.Type = &k.name, &k.typ
	r.AllocationInfo, r.Reservations, r.Disk, r.ProviderId = k.allocation, k.reservations, k.disk, k.providerID
	if k.revocable {
		r.Revocable = revocableInfo
	}
	if k.shared {
		r.Shared = sharedInfo
	}
}
