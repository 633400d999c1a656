package resources

import (
	"slices"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// alwaysShown are the resources that Mesos's v0 endpoints show even when there is none.
var alwaysShown = []string{"cpus", "disk", "gpus", "mem"}

// AppendStateJSON appends the object that v0 endpoints (/state, /slaves, ...) show for resources:
// {"cpus":4.0,"disk":0.0,"gpus":0.0,"mem":1024.0,"ports":"[31000-32000]"}. Reservations are not told
// apart; what is revocable has a member of its own, "cpus_revocable".
func (r Resources) AppendStateJSON(b []byte) []byte {
	start := len(b)
	regular := r.NonRevocable()
	names := slices.Concat(regular.Names(), alwaysShown)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		b = regular.appendMember(b, name, "")
	}
	revocable := r.Revocable()
	for _, name := range revocable.Names() {
		b = revocable.appendMember(b, name, "_revocable")
	}
	return mesosjson.CloseObject(b, start)
}

// appendMember begins with a comma; CloseObject replaces the first.
func (r Resources) appendMember(b []byte, name, suffix string) []byte {
	b = append(mesosjson.AppendString(append(b, ','), name+suffix), ':')
	typ := mesos.Value_SCALAR
	for i := range r.items {
		if r.items[i].kind.name == name {
			typ = r.items[i].kind.typ
			break
		}
	}
	switch typ {
	case mesos.Value_RANGES:
		return mesosjson.AppendString(b, r.Ranges(name).String())
	case mesos.Value_SET:
		return mesosjson.AppendString(b, r.Set(name).String())
	}
	return mesosjson.AppendDouble(b, r.Scalar(name).Float())
}

// AppendStateJSONByRole appends an object with a member per role, each as of AppendStateJSON: the
// reserved_resources of v0 endpoints.
func AppendStateJSONByRole(b []byte, byRole map[string]Resources) []byte {
	start := len(b)
	names := make([]string, 0, len(byRole))
	for role := range byRole {
		names = append(names, role)
	}
	slices.Sort(names)
	for _, role := range names {
		b = append(mesosjson.AppendString(append(b, ','), role), ':')
		b = byRole[role].AppendStateJSON(b)
	}
	return mesosjson.CloseObject(b, start)
}
