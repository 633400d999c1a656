package app

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/cgroups/netcls"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/cgroups/perfevent"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/disk/du"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/disk/xfs"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/linux/seccomp"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/namespaces/ipc"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/namespaces/pid"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/network/ports"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/mesos"
	v1 "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/flags"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// isolatorFlags are the settings of single isolators.
type isolatorFlags struct {
	effective, bounding, allowedDevices *json.RawMessage
	netclsPrimary, netclsSecondary      *string
	seccompDir, seccompProfile          *string
	diskInterval, portsInterval         time.Duration
	enforceDisk, enforcePorts           bool
	agentPortsOnly                      bool
	isolatedPorts                       *string
	shmSize                             *flags.Bytes
	forbidSharedIPC, forbidSharedPID    bool
	hostPathCreate                      *string
	gpus                                gpuFlags
	volumeGIDs                          *string
	xfsProjects                         string
	xfsKill                             bool
	xfsHeadroom                         flags.Bytes
	perfEvents                          *string
	perfInterval, perfDuration          time.Duration
}

func (f *isolatorFlags) define(s *flags.Set) {
	f.gpus.define(s)
	s.OptionalString(&f.volumeGIDs, "volume_gid_range", "Groups for volumes that containers of several users share: [10000-20000].")
	s.String(&f.xfsProjects, "xfs_project_range", xfs.DefaultRange, "IDs of XFS projects for sandboxes and volumes.")
	s.Bool(&f.xfsKill, "xfs_kill_containers", false, "End containers over their XFS quota.")
	s.Bytes(&f.xfsHeadroom, "xfs_quota_headroom", xfs.DefaultHeadroom, "What containers that are to be ended may take over their XFS quota.")
	s.OptionalString(&f.perfEvents, "perf_events", "Events to count for each container, by the names of perf list.")
	s.Duration(&f.perfInterval, "perf_interval", time.Minute, "How often to count perf events.")
	s.Duration(&f.perfDuration, "perf_duration", 10*time.Second, "How long to count perf events.")
	flags.Optional(s, &f.effective, "effective_capabilities", flags.JSONType, "Capabilities of containers that ask for none.")
	flags.Optional(s, &f.bounding, "bounding_capabilities", flags.JSONType, "Capabilities that containers may ask for.")
	flags.Optional(s, &f.allowedDevices, "allowed_devices", flags.JSONType, "Devices that containers may use beside the usual.")
	s.OptionalString(&f.netclsPrimary, "cgroups_net_cls_primary_handle", "Upper half of containers' network classes, such as 0x10.")
	s.OptionalString(&f.netclsSecondary, "cgroups_net_cls_secondary_handles", "First and last of the lower halves: 1,65535.")
	s.OptionalString(&f.seccompDir, "seccomp_config_dir", "Directory of seccomp profiles.")
	s.OptionalString(&f.seccompProfile, "seccomp_profile_name", "Profile of containers that name none.")
	s.Duration(&f.diskInterval, "container_disk_watch_interval", 15*time.Second, "How often to measure the disk that a container takes.")
	s.Bool(&f.enforceDisk, "enforce_container_disk_quota", false, "End containers that take more disk than they have.")
	s.Duration(&f.portsInterval, "container_ports_watch_interval", 30*time.Second, "How often to look where a container listens.")
	s.Bool(&f.enforcePorts, "enforce_container_ports", false, "End containers that listen on ports that they don't have.")
	s.Bool(&f.agentPortsOnly, "check_agent_port_range_only", false, "Look only at ports that the agent offers.")
	s.OptionalString(&f.isolatedPorts, "container_ports_isolated_range", "Look only at these ports: [31000-32000].")
	flags.Optional(s, &f.shmSize, "default_container_shm_size", flags.BytesType, "Size of a container's own /dev/shm. Default: half the memory.")
	s.Bool(&f.forbidSharedIPC, "disallow_sharing_agent_ipc_namespace", false, "Refuse containers that ask for the agent's IPC namespace.")
	s.Bool(&f.forbidSharedPID, "disallow_sharing_agent_pid_namespace", false, "Refuse containers that ask for the agent's PID namespace.")
	s.OptionalString(&f.hostPathCreate, "host_path_volume_force_creation", "Directories, with colons in between, below which host paths are made.")
}

// apply puts them into the configuration of containers. The agent's ports are
// those of its resources.
func (f *isolatorFlags) apply(cfg *mesos.Config, agentPorts func() (resources.Ranges, error)) error {
	effective, bounding := &v1.CapabilityInfo{}, &v1.CapabilityInfo{}
	devices := &v1.DeviceWhitelist{}
	for _, j := range []struct {
		flag string
		text *json.RawMessage
		to   proto.Message
		set  func()
	}{
		{"effective_capabilities", f.effective, effective, func() { cfg.Capabilities.Effective = effective }},
		{"bounding_capabilities", f.bounding, bounding, func() { cfg.Capabilities.Bounding = bounding }},
		{"allowed_devices", f.allowedDevices, devices, func() { cfg.AllowedDevices = devices }},
	} {
		if j.text == nil {
			continue
		}
		if err := codec.Unmarshal(codec.JSON, *j.text, j.to); err != nil {
			return fmt.Errorf("--%s: %w", j.flag, err)
		}
		j.set()
	}
	var err error
	if cfg.NetCls, err = f.netcls(); err != nil {
		return err
	}
	if cfg.Ports.Within, err = f.watchedPorts(agentPorts); err != nil {
		return err
	}
	cfg.Seccomp = seccomp.Config{Dir: given(f.seccompDir), Default: given(f.seccompProfile)}
	cfg.Disk = du.Config{Interval: f.diskInterval, Enforce: f.enforceDisk}
	cfg.Ports = ports.Config{Interval: f.portsInterval, Enforce: f.enforcePorts, Within: cfg.Ports.Within}
	cfg.XFS = xfs.Config{
		Range: f.xfsProjects, Enforce: f.enforceDisk, Kill: f.xfsKill, Headroom: uint64(f.xfsHeadroom), Interval: f.diskInterval,
		Disks: cfg.XFS.Disks, Reclaim: cfg.XFS.Reclaim,
	}
	cfg.VolumeGIDs = given(f.volumeGIDs)
	cfg.PerfEvent = perfevent.Config{Interval: f.perfInterval, Duration: f.perfDuration}
	if f.perfEvents != nil {
		cfg.PerfEvent.Events = strings.FieldsFunc(*f.perfEvents, func(r rune) bool { return r == ',' })
	}
	cfg.IPC = ipc.Config{ShmSize: uint64(given(f.shmSize)), ForbidSharing: f.forbidSharedIPC}
	cfg.PID = pid.Config{ForbidSharing: f.forbidSharedPID}
	if dirs := given(f.hostPathCreate); dirs != "" {
		cfg.HostPathCreate = strings.Split(dirs, ":")
	}
	return nil
}

// netcls reads the halves of class IDs, decimal or with 0x.
func (f *isolatorFlags) netcls() (c netcls.Config, err error) {
	if f.netclsPrimary == nil {
		return c, nil
	}
	half := func(flag, text string, to *uint16) {
		n, e := strconv.ParseUint(strings.TrimSpace(text), 0, 16)
		if e != nil && err == nil {
			err = fmt.Errorf("--%s: %w", flag, e)
		}
		*to = uint16(n)
	}
	half("cgroups_net_cls_primary_handle", *f.netclsPrimary, &c.Primary)
	if f.netclsSecondary != nil {
		first, last, ok := strings.Cut(*f.netclsSecondary, ",")
		if !ok {
			return c, fmt.Errorf("--cgroups_net_cls_secondary_handles=%s: want the first and the last, with a comma in between", *f.netclsSecondary)
		}
		half("cgroups_net_cls_secondary_handles", first, &c.First)
		half("cgroups_net_cls_secondary_handles", last, &c.Last)
	}
	return c, err
}

// watchedPorts are those that network/ports looks at, nil for all.
func (f *isolatorFlags) watchedPorts(agentPorts func() (resources.Ranges, error)) (*resources.Ranges, error) {
	switch {
	case f.agentPortsOnly && f.isolatedPorts != nil:
		return nil, fmt.Errorf("--check_agent_port_range_only and --container_ports_isolated_range exclude each other")
	case f.agentPortsOnly:
		within, err := agentPorts()
		return &within, err
	case f.isolatedPorts != nil:
		parsed, err := resources.ParseProto("ports:"+*f.isolatedPorts, "*")
		if err != nil {
			return nil, fmt.Errorf("--container_ports_isolated_range: %w", err)
		}
		return new(portsAmong(parsed)), nil
	}
	return nil, nil
}

func portsAmong(rs []*v1.Resource) resources.Ranges {
	var out resources.Ranges
	for _, r := range rs {
		if r.GetName() == "ports" {
			out = out.Add(resources.RangesFromProto(r.GetRanges()))
		}
	}
	return out
}

// given is the value of an optional flag, or zero.
func given[T any](flag *T) (value T) {
	if flag != nil {
		value = *flag
	}
	return value
}
