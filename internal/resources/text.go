package resources

import (
	"strings"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// String is for logs and errors: "cpus:4; mem(reservations: [(DYNAMIC,web)]):1024", "{}" when empty.
func (r Resources) String() string {
	if len(r.items) == 0 {
		return "{}"
	}
	parts := make([]string, len(r.items))
	for i, it := range r.items {
		parts[i] = it.String()
	}
	return strings.Join(parts, "; ")
}

// String is for logs and errors.
func (i Item) String() string {
	k := i.kind
	b := []byte(k.name)
	if k.allocated {
		b = append(append(append(b, "(allocated: "...), k.role...), ')')
	}
	b = appendStack(b, k.reservations)
	b = appendDisk(b, k.disk)
	if k.revocable {
		b = append(b, "{REV}"...)
	}
	if k.shared {
		b = append(b, "<SHARED>"...)
	}
	b = append(b, ':')
	switch k.typ {
	case mesos.Value_RANGES:
		return string(i.ranges.append(b))
	case mesos.Value_SET:
		return string(i.set.append(b))
	}
	return string(i.scalar.append(b))
}

func appendStack(b []byte, stack []*mesos.Resource_ReservationInfo) []byte {
	for n, d := range stack {
		if n == 0 {
			b = append(b, "(reservations: ["...)
		} else {
			b = append(b, ", "...)
		}
		b = append(append(append(append(b, '('), d.GetType().String()...), ','), d.GetRole()...)
		if d.Principal != nil {
			b = append(append(b, ','), d.GetPrincipal()...)
		}
		b = append(b, ')')
		if n == len(stack)-1 {
			b = append(b, "])"...)
		}
	}
	return b
}

func appendDisk(b []byte, d *mesos.Resource_DiskInfo) []byte {
	if d == nil {
		return b
	}
	var parts []string
	if s := d.Source; s != nil {
		root := s.GetMount().GetRoot() + s.GetPath().GetRoot()
		parts = append(parts, strings.TrimSuffix(s.GetType().String()+":"+root, ":"))
	}
	if d.Persistence != nil {
		id := d.Persistence.GetId()
		if d.Volume != nil {
			id += ":" + d.Volume.GetContainerPath()
		}
		parts = append(parts, id)
	}
	return append(append(append(b, '['), strings.Join(parts, ",")...), ']')
}

// describe is String for a message that may be invalid.
func describe(r *mesos.Resource) string {
	if r == nil {
		return ""
	}
	k := &kind{}
	k.init(r)
	return itemOf(k, r).String()
}
