// Package netcls is the isolator "cgroups/net_cls": the packets of a container
// carry a class ID, by which tc and iptables tell containers apart. The agent
// gives IDs out if it is told a range of them; otherwise the groups are there
// for others to mark.
package netcls

import (
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Name is the isolator's name.
const Name = "cgroups/net_cls"

const (
	controller = "net_cls"
	file       = "net_cls.classid"
)

// Config are the agent's flags.
type Config struct {
	// Primary is the upper half of all class IDs
	// (--cgroups_net_cls_primary_handle); 0 gives none out.
	Primary uint16
	// First and Last bound the lower half (--cgroups_net_cls_secondary_handles).
	// Both zero means 1 to 65535.
	First, Last uint16
}

// ErrExhausted says that every ID is in use.
var ErrExhausted = errors.New("no class ID is free")

// Isolator implements isolator.Isolator.
type Isolator struct {
	isolator.Nop
	cfg Config

	mu   sync.Mutex
	ids  map[containerizer.ID]uint32
	used map[uint16]bool
}

// New returns the isolator. The error says what the machine lacks; cgroup v2 has no
// class IDs.
func New(cfg Config, tree *cgroups.Tree) (*Isolator, error) {
	if !tree.Has(controller) {
		return nil, fmt.Errorf("isolator %s: %w: %q", Name, cgroups.ErrNoController, controller)
	}
	if cfg.First == 0 && cfg.Last == 0 {
		cfg.First, cfg.Last = 1, 0xffff
	}
	if cfg.First == 0 || cfg.First > cfg.Last {
		return nil, fmt.Errorf("isolator %s: secondary handles %d to %d: want a range that begins at 1 or above", Name, cfg.First, cfg.Last)
	}
	return &Isolator{cfg: cfg, ids: map[containerizer.ID]uint32{}, used: map[uint16]bool{}}, nil
}

// Name implements isolator.Isolator.
func (*Isolator) Name() string { return Name }

// Attach implements isolator.Isolator. A container from an earlier life of the
// agent keeps its ID.
func (i *Isolator) Attach(c *isolator.Container, again bool) error {
	if i.cfg.Primary == 0 {
		return nil
	}
	if again {
		return i.recall(c)
	}
	id, err := i.take(c.ID)
	if err != nil {
		return err
	}
	return c.Group.Write(controller, file, "0x"+strconv.FormatUint(uint64(id), 16))
}

func (i *Isolator) recall(c *isolator.Container) error {
	id, err := c.Group.ReadUint(controller, file)
	if err != nil || id == 0 {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ids[c.ID] = uint32(id)
	i.used[uint16(id)] = true
	return nil
}

func (i *Isolator) take(container containerizer.ID) (uint32, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for lower := int(i.cfg.First); lower <= int(i.cfg.Last); lower++ {
		if !i.used[uint16(lower)] {
			id := uint32(i.cfg.Primary)<<16 | uint32(lower)
			i.ids[container], i.used[uint16(lower)] = id, true
			return id, nil
		}
	}
	return 0, fmt.Errorf("%w: %d are in use", ErrExhausted, len(i.used))
}

// Status implements isolator.Isolator.
func (i *Isolator) Status(c *isolator.Container, s *mesos.ContainerStatus) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if id, ok := i.ids[c.ID]; ok {
		if s.CgroupInfo == nil {
			s.CgroupInfo = &mesos.CgroupInfo{}
		}
		s.CgroupInfo.NetCls = &mesos.CgroupInfo_NetCls{Classid: &id}
	}
	return nil
}

// Cleanup implements isolator.Isolator.
func (i *Isolator) Cleanup(c *isolator.Container) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if id, ok := i.ids[c.ID]; ok {
		delete(i.ids, c.ID)
		delete(i.used, uint16(id))
	}
	return nil
}
