package state

import (
	"math"
	"strings"
	"testing"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// wire parses resources as they are in a call.
func wire(text string) []*mesos.Resource { return resources.MustParse(text).Proto() }

func volume(role, persistence string) *mesos.Resource {
	return &mesos.Resource{
		Name: new("disk"), Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: new(10.0)},
		Reservations: []*mesos.Resource_ReservationInfo{{Role: &role, Type: mesos.Resource_ReservationInfo_DYNAMIC.Enum()}},
		Disk: &mesos.Resource_DiskInfo{
			Persistence: &mesos.Resource_DiskInfo_Persistence{Id: &persistence},
			Volume:      &mesos.Volume{ContainerPath: new("p"), Mode: mesos.Volume_RW.Enum()},
		},
	}
}

func customExecutor(id, text string) *mesos.ExecutorInfo {
	return &mesos.ExecutorInfo{
		ExecutorId: &mesos.ExecutorID{Value: &id}, Resources: wire(text), Command: &mesos.CommandInfo{Value: new("true")},
	}
}

// TestTaskValidation breaks one rule after another of a valid task. Each case
// is told with TASK_ERROR and REASON_TASK_INVALID, for a reason that contains
// the given words; the case without words is launched.
func TestTaskValidation(t *testing.T) {
	tests := map[string]struct {
		change func(*mesos.TaskInfo)
		want   string
	}{
		"valid":             {func(*mesos.TaskInfo) {}, ""},
		"empty ID":          {func(t *mesos.TaskInfo) { t.TaskId.Value = new("") }, "empty"},
		"slash in the ID":   {func(t *mesos.TaskInfo) { t.TaskId.Value = new("a/b") }, "not allowed"},
		"control in the ID": {func(t *mesos.TaskInfo) { t.TaskId.Value = new("a\n") }, "not allowed"},
		"dots as ID":        {func(t *mesos.TaskInfo) { t.TaskId.Value = new("..") }, "can't be an ID"},
		"long ID":           {func(t *mesos.TaskInfo) { t.TaskId.Value = new(strings.Repeat("x", 256)) }, "255"},
		"ID in use":         {func(t *mesos.TaskInfo) { t.TaskId.Value = new("first") }, "in use"},
		"another agent":     {func(t *mesos.TaskInfo) { t.AgentId.Value = new("m-S9") }, "m-S9"},
		"no resources":      {func(t *mesos.TaskInfo) { t.Resources = nil }, "no resources"},
		"more than offered": {func(t *mesos.TaskInfo) { t.Resources = wire("cpus:5") }, "more than is left"},
		"ports not offered": {func(t *mesos.TaskInfo) { t.Resources = wire("cpus:1;ports:[1-2]") }, "more than is left"},
		"another role":      {func(t *mesos.TaskInfo) { t.Resources = resources.MustParse("cpus:1").Allocate("x").Proto() }, "more than is left"},
		"two roles": {func(t *mesos.TaskInfo) {
			t.Resources = append(t.Resources, resources.MustParse("mem:1").Allocate("x").Proto()...)
		}, "two roles"},
		"negative amount":   {func(t *mesos.TaskInfo) { t.Resources[0].Scalar.Value = new(-1.0) }, "cpus"},
		"part of a GPU":     {func(t *mesos.TaskInfo) { t.Resources = wire("gpus:0.5") }, "gpus"},
		"revocable and not": {func(t *mesos.TaskInfo) { t.Resources = append(t.Resources, revocable("cpus")) }, "revocable"},
		"volume not reserved": {func(t *mesos.TaskInfo) {
			v := volume("web", "v")
			v.Reservations = nil
			t.Resources = append(t.Resources, v)
		}, "reserved"},
		"volume without place": {func(t *mesos.TaskInfo) {
			v := volume("web", "v")
			v.Disk.Volume = nil
			t.Resources = append(t.Resources, v)
		}, "disk.volume"},
		"volume with bad ID": {func(t *mesos.TaskInfo) { t.Resources = append(t.Resources, volume("web", "a/b")) }, "persistence ID"},
		"volume twice":       {func(t *mesos.TaskInfo) { t.Resources = append(t.Resources, volume("web", "v"), volume("web", "v")) }, "used twice"},
		"empty disk": {func(t *mesos.TaskInfo) {
			v := volume("web", "v")
			v.Disk = &mesos.Resource_DiskInfo{}
			t.Resources = append(t.Resources, v)
		}, "empty"},
		"neither command nor executor": {func(t *mesos.TaskInfo) { t.Command = nil }, "either"},
		"command and executor":         {func(t *mesos.TaskInfo) { t.Executor = customExecutor("e", "cpus:1") }, "either"},
		"negative grace period":        {func(t *mesos.TaskInfo) { t.KillPolicy = &mesos.KillPolicy{GracePeriod: duration(-1)} }, "grace_period"},
		"negative completion time":     {func(t *mesos.TaskInfo) { t.MaxCompletionTime = duration(-1) }, "max_completion_time"},
		"own cgroups outside a group":  {func(t *mesos.TaskInfo) { t.Container = cgroups(false) }, "share_cgroups"},
		"limit below the request":      {func(t *mesos.TaskInfo) { t.Limits = limitOf("cpus", 0.5) }, "less than the request"},
		"limit without a request":      {func(t *mesos.TaskInfo) { t.Limits = limitOf("mem", 5) }, "needs a request"},
		"limit of disk":                {func(t *mesos.TaskInfo) { t.Limits = limitOf("disk", 5) }, "not for 'disk'"},
		"infinite limit":               {func(t *mesos.TaskInfo) { t.Limits = limitOf("cpus", math.Inf(1)) }, ""},
		"variable without value":       {func(t *mesos.TaskInfo) { t.Command.Environment = variable(&mesos.Environment_Variable{Name: new("V")}) }, "'V'"},
		"variable with both": {func(t *mesos.TaskInfo) {
			t.Command.Environment = variable(&mesos.Environment_Variable{Name: new("V"), Value: new("x"), Secret: &mesos.Secret{}})
		}, "'V'"},
		"volume from two places": {func(t *mesos.TaskInfo) {
			t.Container = withVolume(&mesos.Volume{HostPath: new("/a"), Image: &mesos.Image{}})
		}, "only one"},
		"volume from nowhere": {func(t *mesos.TaskInfo) { t.Container = withVolume(&mesos.Volume{}) }, "only one"},
		"volume source without part": {func(t *mesos.TaskInfo) {
			t.Container = withVolume(&mesos.Volume{Source: &mesos.Volume_Source{Type: mesos.Volume_Source_SECRET.Enum()}})
		}, "SECRET"},
		"DOCKER without docker": {func(t *mesos.TaskInfo) { t.Container = &mesos.ContainerInfo{Type: mesos.ContainerInfo_DOCKER.Enum()} }, "needs 'docker'"},
		"DOCKER with a name":    {func(t *mesos.TaskInfo) { t.Container = docker("name") }, "'name'"},
		"check without type":    {func(t *mesos.TaskInfo) { t.Check = &mesos.CheckInfo{} }, "'type'"},
		"HTTP check without slash": {func(t *mesos.TaskInfo) {
			t.Check = &mesos.CheckInfo{Type: mesos.CheckInfo_HTTP.Enum(), Http: &mesos.CheckInfo_Http{Port: new(uint32(80)), Path: new("x")}}
		}, "begin with '/'"},
		"command check without value": {func(t *mesos.TaskInfo) {
			t.Check = &mesos.CheckInfo{Type: mesos.CheckInfo_COMMAND.Enum(), Command: &mesos.CheckInfo_Command{Command: &mesos.CommandInfo{}}}
		}, "'value'"},
		"negative check delay": {func(t *mesos.TaskInfo) {
			t.Check = &mesos.CheckInfo{Type: mesos.CheckInfo_TCP.Enum(), Tcp: &mesos.CheckInfo_Tcp{Port: new(uint32(1))}, DelaySeconds: new(-1.0)}
		}, "delay_seconds"},
		"health check over ftp": {func(t *mesos.TaskInfo) {
			t.HealthCheck = &mesos.HealthCheck{Type: mesos.HealthCheck_HTTP.Enum(), Http: &mesos.HealthCheck_HTTPCheckInfo{Port: new(uint32(1)), Scheme: new("ftp")}}
		}, "ftp"},
		"health check of old clients": {func(t *mesos.TaskInfo) {
			t.HealthCheck = &mesos.HealthCheck{Command: &mesos.CommandInfo{Value: new("true")}}
		}, ""},
		"executor":                 {func(t *mesos.TaskInfo) { t.Command, t.Executor = nil, customExecutor("e", "cpus:1") }, ""},
		"executor that is too big": {func(t *mesos.TaskInfo) { t.Command, t.Executor = nil, customExecutor("e", "cpus:4") }, "more than is left"},
		"executor of another": {func(t *mesos.TaskInfo) {
			t.Command, t.Executor = nil, customExecutor("e", "cpus:1")
			t.Executor.FrameworkId = &mesos.FrameworkID{Value: new("x")}
		}, "'x'"},
		"executor without command": {func(t *mesos.TaskInfo) {
			t.Command, t.Executor = nil, customExecutor("e", "cpus:1")
			t.Executor.Command = nil
		}, "needs 'command'"},
		"default executor": {func(t *mesos.TaskInfo) {
			t.Command, t.Executor = nil, customExecutor("e", "cpus:1")
			t.Executor.Type = mesos.ExecutorInfo_DEFAULT.Enum()
			t.Executor.Command = nil
		}, "CUSTOM"},
		"executor with bad ID": {func(t *mesos.TaskInfo) { t.Command, t.Executor = nil, customExecutor("a/b", "cpus:1") }, "executor ID"},
		"executor that shares cgroups": {func(t *mesos.TaskInfo) {
			t.Command, t.Executor = nil, customExecutor("e", "cpus:1")
			t.Executor.Container = cgroups(true)
		}, "share_cgroups"},
		"executor with the same ports": {func(t *mesos.TaskInfo) {
			t.Command, t.Executor, t.Resources = nil, customExecutor("e", "ports:[10-11]"), wire("cpus:1;ports:[11-12]")
		}, "same ports"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, testConfig())
			a := r.addAgent(0, "cpus:8;mem:100;ports:[10-20];gpus:1")
			f := r.subscribe("s", "web")
			r.acceptOffer(r.offer(f, a, "cpus:1"), launchOp(taskInfo("first", a, "cpus:1")))
			info := taskInfo("t", a, "cpus:1")
			test.change(info)
			effects := r.acceptOffer(r.offer(f, a, "cpus:4;ports:[10-20];gpus:1"), launchOp(info))
			checkRefused(t, effects, mesos.TaskStatus_REASON_TASK_INVALID, test.want)
			if got := find[AllocRecover](effects); test.want != "" && len(got) != 1 {
				t.Errorf("the offer of a refused task is given back in %d parts", len(got))
			}
		})
	}
}

// checkRefused checks that a launch was refused for a reason, or, with no
// words, that it was sent to the agent.
func checkRefused(t *testing.T, effects []Effect, reason mesos.TaskStatus_Reason, words string) {
	t.Helper()
	got := statuses(effects)
	if words == "" {
		if len(got) != 0 {
			t.Errorf("refused: %v", got)
		}
		if len(find[SendMessage](effects)) != 1 {
			t.Errorf("no message to the agent: %v", effects)
		}
		return
	}
	if len(got) == 0 {
		t.Fatalf("not refused: %v", effects)
	}
	if len(find[SendMessage](effects)) != 0 {
		t.Errorf("refused and sent to the agent: %v", effects)
	}
	for _, s := range got {
		if s.GetState() != mesos.TaskState_TASK_ERROR || s.GetReason() != reason || s.GetSource() != mesos.TaskStatus_SOURCE_MASTER || s.Uuid != nil {
			t.Errorf("status %v", s)
		}
		if !strings.Contains(s.GetMessage(), words) {
			t.Errorf("reason %q, want one about %q", s.GetMessage(), words)
		}
	}
}

func revocable(name string) *mesos.Resource {
	r := wire(name + ":1")[0]
	r.Revocable = &mesos.Resource_RevocableInfo{}
	return r
}

func duration(ns int64) *mesos.DurationInfo { return &mesos.DurationInfo{Nanoseconds: &ns} }

func cgroups(share bool) *mesos.ContainerInfo {
	return &mesos.ContainerInfo{Type: mesos.ContainerInfo_MESOS.Enum(), LinuxInfo: &mesos.LinuxInfo{ShareCgroups: &share}}
}

func limitOf(name string, v float64) map[string]*mesos.Value_Scalar {
	return map[string]*mesos.Value_Scalar{name: {Value: &v}}
}

func variable(v *mesos.Environment_Variable) *mesos.Environment {
	return &mesos.Environment{Variables: []*mesos.Environment_Variable{v}}
}

func withVolume(v *mesos.Volume) *mesos.ContainerInfo {
	v.ContainerPath, v.Mode = new("p"), mesos.Volume_RW.Enum()
	return &mesos.ContainerInfo{Type: mesos.ContainerInfo_MESOS.Enum(), Volumes: []*mesos.Volume{v}}
}

func docker(parameter string) *mesos.ContainerInfo {
	return &mesos.ContainerInfo{Type: mesos.ContainerInfo_DOCKER.Enum(), Docker: &mesos.ContainerInfo_DockerInfo{
		Image: new("i"), Parameters: []*mesos.Parameter{{Key: &parameter, Value: new("v")}},
	}}
}

// TestGroupValidation does the same for task groups: one bad task, or the
// executor, refuses them all.
func TestGroupValidation(t *testing.T) {
	type group = mesos.Offer_Operation_LaunchGroup
	first := func(g *group) *mesos.TaskInfo { return g.TaskGroup.Tasks[0] }
	tests := map[string]struct {
		change func(*group)
		want   string
	}{
		"valid":                      {func(*group) {}, ""},
		"one bad task":               {func(g *group) { first(g).TaskId.Value = new("") }, "is invalid"},
		"the same ID twice":          {func(g *group) { first(g).TaskId.Value = new("t1") }, "twice"},
		"executor without type":      {func(g *group) { g.Executor.Type = nil }, "'type'"},
		"executor without framework": {func(g *group) { g.Executor.FrameworkId = nil }, "of framework"},
		"default with command":       {func(g *group) { g.Executor.Command = &mesos.CommandInfo{} }, "no 'command'"},
		"custom without command":     {func(g *group) { g.Executor.Type = mesos.ExecutorInfo_CUSTOM.Enum() }, "'command'"},
		"too few cpus":               {func(g *group) { g.Executor.Resources = wire("cpus:0.001;mem:32;disk:1") }, "cpus"},
		"too little mem":             {func(g *group) { g.Executor.Resources = wire("cpus:0.1;mem:31;disk:1") }, "mem"},
		"no disk":                    {func(g *group) { g.Executor.Resources = wire("cpus:0.1;mem:32") }, "disk"},
		"docker task":                {func(g *group) { first(g).Container = docker("x") }, "DOCKER"},
		"docker executor": {func(g *group) {
			g.Executor.Type = mesos.ExecutorInfo_CUSTOM.Enum()
			g.Executor.Command = &mesos.CommandInfo{}
			g.Executor.Container = docker("x")
		}, "DOCKER"},
		"another executor":         {func(g *group) { first(g).Executor = customExecutor("other", "cpus:0.1;mem:32;disk:1") }, "another executor"},
		"limits in shared cgroups": {func(g *group) { first(g).Limits = limitOf("cpus", 5) }, "share_cgroups"},
		"mixed cgroups":            {func(g *group) { first(g).Container = cgroups(false) }, "same for all"},
		"executor shares cgroups":  {func(g *group) { g.Executor.Container = cgroups(true) }, "share_cgroups"},
		"HTTP check on own network": {func(g *group) {
			first(g).Container = &mesos.ContainerInfo{Type: mesos.ContainerInfo_MESOS.Enum(), NetworkInfos: []*mesos.NetworkInfo{{}}}
			first(g).HealthCheck = &mesos.HealthCheck{Type: mesos.HealthCheck_HTTP.Enum(), Http: &mesos.HealthCheck_HTTPCheckInfo{Port: new(uint32(1))}}
		}, "network"},
		"too much together": {func(g *group) { first(g).Resources = wire("cpus:3.9") }, "more than is left"},
		"the same ports": {func(g *group) {
			first(g).Resources = wire("cpus:0.1;ports:[10-11]")
			g.TaskGroup.Tasks[1].Resources = wire("cpus:0.1;ports:[11-12]")
		}, "same ports"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, testConfig())
			a := r.addAgent(0, "cpus:8;mem:100;disk:100;ports:[10-20]")
			f := r.subscribe("s", "web")
			e := customExecutor("e", "cpus:0.1;mem:32;disk:1")
			e.Type, e.Command, e.FrameworkId = mesos.ExecutorInfo_DEFAULT.Enum(), nil, f.protoID
			g := &group{Executor: e, TaskGroup: &mesos.TaskGroupInfo{
				Tasks: []*mesos.TaskInfo{taskInfo("t0", a, "cpus:0.1"), taskInfo("t1", a, "cpus:0.1")},
			}}
			test.change(g)
			effects := r.acceptOffer(r.offer(f, a, "cpus:4;mem:64;disk:10;ports:[10-20]"), &mesos.Offer_Operation{
				Type: mesos.Offer_Operation_LAUNCH_GROUP.Enum(), LaunchGroup: g,
			})
			checkRefused(t, effects, mesos.TaskStatus_REASON_TASK_GROUP_INVALID, test.want)
			if got := len(statuses(effects)); test.want != "" && got != 2 {
				t.Errorf("%d of 2 tasks are refused", got)
			}
		})
	}
}
