// Package blkio is the isolator "cgroups/blkio": it limits nothing and counts the
// bytes and operations of a container on each disk, as far as the kernel does.
// Those of the CFQ scheduler, which Linux 5.0 took away, stay empty.
package blkio

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Name is the isolator's name.
const Name = "cgroups/blkio"

// The controller's names on cgroup v1 and v2.
const controllerV1, controllerV2 = "blkio", "io"

// Isolator implements isolator.Isolator.
type Isolator struct{ isolator.Nop }

// New returns the isolator. The error says what the machine lacks.
func New(tree *cgroups.Tree) (*Isolator, error) {
	controller := controllerV1
	if tree.Version() == cgroups.V2 {
		controller = controllerV2
	}
	if !tree.Has(controller) {
		return nil, fmt.Errorf("isolator %s: %w: %q", Name, cgroups.ErrNoController, controller)
	}
	return &Isolator{}, nil
}

// Name implements isolator.Isolator.
func (*Isolator) Name() string { return Name }

// Usage implements isolator.Isolator.
func (*Isolator) Usage(c *isolator.Container, s *mesos.ResourceStatistics) error {
	var t table
	if c.Group.Tree().Version() == cgroups.V2 {
		text, err := c.Group.Read(controllerV2, "io.stat")
		if err != nil {
			return err
		}
		t.addV2(text)
	} else {
		bytes, err := c.Group.Read(controllerV1, "blkio.throttle.io_service_bytes")
		if err != nil {
			return err
		}
		operations, err := c.Group.Read(controllerV1, "blkio.throttle.io_serviced")
		if err != nil {
			return err
		}
		t.addV1(bytes, func(s *statistics) *[]*mesos.CgroupInfo_Blkio_Value { return &s.IoServiceBytes })
		t.addV1(operations, func(s *statistics) *[]*mesos.CgroupInfo_Blkio_Value { return &s.IoServiced })
	}
	s.BlkioStatistics = t.statistics()
	return nil
}

// statistics are the rows as Mesos has them: totals last, also those of CFQ, of which nothing
// is known.
func (t *table) statistics() *mesos.CgroupInfo_Blkio_Statistics {
	totals, _ := t.row("")
	devices := slices.DeleteFunc(t.rows, func(r *statistics) bool { return r == totals })
	return &mesos.CgroupInfo_Blkio_Statistics{
		Throttling:   append(devices, totals),
		Cfq:          []*mesos.CgroupInfo_Blkio_CFQ_Statistics{{}},
		CfqRecursive: []*mesos.CgroupInfo_Blkio_CFQ_Statistics{{}},
	}
}

type statistics = mesos.CgroupInfo_Blkio_Throttling_Statistics

// table has a row for each device, and one without for the totals.
type table struct{ rows []*statistics }

// row finds the row of a device, written "8:0"; "" is that of the totals.
func (t *table) row(device string) (*statistics, bool) {
	var number *mesos.Device_Number
	if device != "" {
		major, minor, ok := strings.Cut(device, ":")
		a, err1 := strconv.ParseUint(major, 10, 64)
		b, err2 := strconv.ParseUint(minor, 10, 64)
		if !ok || err1 != nil || err2 != nil {
			return nil, false
		}
		number = &mesos.Device_Number{MajorNumber: &a, MinorNumber: &b}
	}
	for _, r := range t.rows {
		if (r.Device == nil) == (number == nil) &&
			r.Device.GetMajorNumber() == number.GetMajorNumber() && r.Device.GetMinorNumber() == number.GetMinorNumber() {
			return r, true
		}
	}
	r := &statistics{Device: number}
	t.rows = append(t.rows, r)
	return r, true
}

var operations = map[string]mesos.CgroupInfo_Blkio_Operation{
	"Total": mesos.CgroupInfo_Blkio_TOTAL, "Read": mesos.CgroupInfo_Blkio_READ, "Write": mesos.CgroupInfo_Blkio_WRITE,
	"Sync": mesos.CgroupInfo_Blkio_SYNC, "Async": mesos.CgroupInfo_Blkio_ASYNC, "Discard": mesos.CgroupInfo_Blkio_DISCARD,
}

// addV1 reads lines such as "8:0 Read 4096", and "Total 4096" for all devices.
func (t *table) addV1(text string, list func(*statistics) *[]*mesos.CgroupInfo_Blkio_Value) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 2 {
			fields = append([]string{""}, fields...)
		}
		if len(fields) != 3 {
			continue
		}
		op, known := operations[fields[1]]
		value, err := strconv.ParseUint(fields[2], 10, 64)
		row, ok := t.row(fields[0])
		if !known || err != nil || !ok {
			continue
		}
		values := list(row)
		*values = append(*values, &mesos.CgroupInfo_Blkio_Value{Op: &op, Value: &value})
	}
}

// addV2 reads lines such as "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6".
func (t *table) addV2(text string) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		row, ok := t.row(fields[0])
		if !ok {
			continue
		}
		for _, f := range fields[1:] {
			key, number, _ := strings.Cut(f, "=")
			value, err := strconv.ParseUint(number, 10, 64)
			op, known := map[byte]mesos.CgroupInfo_Blkio_Operation{
				'r': mesos.CgroupInfo_Blkio_READ, 'w': mesos.CgroupInfo_Blkio_WRITE, 'd': mesos.CgroupInfo_Blkio_DISCARD,
			}[key[0]]
			if err != nil || !known {
				continue
			}
			v := &mesos.CgroupInfo_Blkio_Value{Op: &op, Value: &value}
			switch key[1:] {
			case "bytes":
				row.IoServiceBytes = append(row.IoServiceBytes, v)
			case "ios":
				row.IoServiced = append(row.IoServiced, v)
			}
		}
	}
}
