package httpapi

import (
	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

func resourcesMember(b []byte, name string, rs []*mesos.Resource) []byte {
	return appendResources(key(b, name), rs)
}

// appendResources writes what v0 endpoints show of resources. Those of tasks
// are mostly a few plain scalars, which need no algebra.
func appendResources(b []byte, rs []*mesos.Resource) []byte {
	var cpus, disk, gpus, mem resources.Scalar
	for _, r := range rs {
		if r.GetType() != mesos.Value_SCALAR || r.Revocable != nil || r.Shared != nil {
			return resources.Of(rs...).AppendStateJSON(b)
		}
		value := resources.ScalarOf(r.GetScalar().GetValue())
		switch r.GetName() {
		case "cpus":
			cpus += value
		case "disk":
			disk += value
		case "gpus":
			gpus += value
		case "mem":
			mem += value
		default:
			return resources.Of(rs...).AppendStateJSON(b)
		}
	}
	b = mesosjson.AppendDouble(append(b, `{"cpus":`...), cpus.Float())
	b = mesosjson.AppendDouble(append(b, `,"disk":`...), disk.Float())
	b = mesosjson.AppendDouble(append(b, `,"gpus":`...), gpus.Float())
	b = mesosjson.AppendDouble(append(b, `,"mem":`...), mem.Float())
	return append(b, '}')
}

// quantitiesMember writes amounts by name.
func quantitiesMember(b []byte, name string, qs resources.Quantities) []byte {
	b = key(b, name)
	start := len(b)
	for _, q := range qs {
		b = mesosjson.AppendString(append(b, ','), q.Name)
		b = mesosjson.AppendDouble(append(b, ':'), q.Value.Float())
	}
	return mesosjson.CloseObject(b, start)
}

// attributesMember writes an agent's attributes as an object; of several with
// one name the last one counts for readers.
func attributesMember(b []byte, attributes []*mesos.Attribute) []byte {
	b = key(b, "attributes")
	start := len(b)
	for _, a := range attributes {
		b = mesosjson.AppendString(append(b, ','), a.GetName())
		b = append(b, ':')
		switch a.GetType() {
		case mesos.Value_SCALAR:
			b = mesosjson.AppendDouble(b, a.GetScalar().GetValue())
		case mesos.Value_RANGES:
			b = mesosjson.AppendString(b, resources.RangesFromProto(a.GetRanges()).String())
		case mesos.Value_SET:
			b = mesosjson.AppendString(b, resources.SetOf(a.GetSet().GetItem()...).String())
		default:
			b = mesosjson.AppendString(b, a.GetText().GetValue())
		}
	}
	return mesosjson.CloseObject(b, start)
}
