package perfevent

import (
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// fieldOf is the statistic of an event, whose name in it has no dashes.
func fieldOf(event string) protoreflect.FieldDescriptor {
	name := strings.ReplaceAll(strings.ToLower(event), "-", "_")
	f := (&mesos.PerfStatistics{}).ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(name))
	if name == "timestamp" || name == "duration" {
		return nil
	}
	return f
}

// parse reads what "perf stat" prints with commas between its columns, for each
// cgroup.
func parse(output string) (map[string]*mesos.PerfStatistics, error) {
	out := map[string]*mesos.PerfStatistics{}
	for line := range strings.SplitSeq(output, "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		value, event, group, err := columns(line)
		if err != nil {
			return nil, fmt.Errorf("perf's line %q: %w", line, err)
		}
		if event == "" {
			continue // derived from others, such as instructions per cycle
		}
		if out[group] == nil {
			out[group] = &mesos.PerfStatistics{}
		}
		if err := set(out[group], event, value); err != nil {
			return nil, fmt.Errorf("perf's line %q: %w", line, err)
		}
	}
	return out, nil
}

// columns finds the value, the event and the cgroup. Versions of perf before 3.14 have
// no column for the unit; later ones have more and more behind the cgroup, and some
// print a comma too many for each that is empty.
func columns(line string) (value, event, group string, err error) {
	c := strings.Split(line, ",")
	switch {
	case len(c) == 3:
		return c[0], c[1], c[2], nil
	case len(c) == 10 && strings.Join(c[6:], "") != "":
	case len(c) == 4 || len(c) == 6 || len(c) == 8 || len(c) == 10:
		return c[0], c[2], c[3], nil
	}
	return "", "", "", fmt.Errorf("unexpected number of columns: %d", len(c))
}

// set takes over a value. What the machine can't count is left out; what it didn't
// come to counting is zero.
func set(s *mesos.PerfStatistics, event, value string) error {
	f := fieldOf(event)
	if f == nil {
		return fmt.Errorf("unknown event %q", event)
	}
	switch value {
	case "<not supported>":
		return nil
	case "<not counted>":
		value = "0"
	}
	var v protoreflect.Value
	if f.Kind() == protoreflect.DoubleKind {
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return err
		}
		v = protoreflect.ValueOfFloat64(n)
	} else {
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			return err
		}
		v = protoreflect.ValueOfUint64(n)
	}
	s.ProtoReflect().Set(f, v)
	return nil
}
