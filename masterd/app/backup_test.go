package app

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	registrypb "github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/quota"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/zookeeper/zktest"
)

// full is a registry with something of every kind.
func full() *registrypb.Registry {
	agent := func(id string) *mesos.AgentInfo {
		return &mesos.AgentInfo{Id: &mesos.AgentID{Value: &id}, Hostname: new("host-" + id), Port: new(int32(5051)), Attributes: []*mesos.Attribute{{
			Name: new("rack"), Type: mesos.Value_TEXT.Enum(), Text: &mesos.Value_Text{Value: new("r 1")},
		}}}
	}
	id := func(v string) *mesos.AgentID { return &mesos.AgentID{Value: &v} }
	at := &mesos.TimeInfo{Nanoseconds: new(int64(1700000000123456789))}
	return &registrypb.Registry{
		Slaves: &registrypb.Registry_Slaves{Slaves: []*registrypb.Registry_Slave{
			{Info: agent("S1"), Deactivated: new(false)}, {Info: agent("S2"), Deactivated: new(true)},
		}},
		Unreachable: &registrypb.Registry_UnreachableSlaves{Slaves: []*registrypb.Registry_UnreachableSlave{{Id: id("S3"), Timestamp: at, Deactivated: new(false)}}},
		Gone:        &registrypb.Registry_GoneSlaves{Slaves: []*registrypb.Registry_GoneSlave{{Id: id("S4"), Timestamp: at}}},
		Weights:     []*registrypb.Registry_Weight{{Info: &mesos.WeightInfo{Role: new("prod"), Weight: new(2.5)}}},
		QuotaConfigs: []*quota.QuotaConfig{{
			Role: new("prod"), Guarantees: map[string]*mesos.Value_Scalar{"cpus": {Value: new(1.0)}},
			Limits: map[string]*mesos.Value_Scalar{"mem": {Value: new(1024.0)}},
		}},
		Machines: &registrypb.Registry_Machines{Machines: []*registrypb.Registry_Machine{{Info: &mesos.MachineInfo{
			Id: &mesos.MachineID{Hostname: new("h"), Ip: new("10.0.0.1")}, Mode: mesos.MachineInfo_DRAINING.Enum(),
		}}}},
		MinimumCapabilities: []*registrypb.Registry_MinimumCapability{{Capability: new("QUOTA_V2")}},
	}
}

func registryCommand(t *testing.T, in string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := RegistryCommand(t.Context(), args, nil, strings.NewReader(in), &out)
	return out.String(), err
}

// TestMigration takes a registry from a backup, as mesosctl makes them of a
// running master, into raft, from there into ZooKeeper, and back to raft.
func TestMigration(t *testing.T) {
	backup, err := codec.Marshal(codec.JSON, full())
	if err != nil {
		t.Fatal(err)
	}
	e := zktest.Start(t, 1)
	raft := func() string { return "--work_dir=" + t.TempDir() }
	zk := "--zk=" + e.URL(t, "").String()
	text := string(backup)
	file := filepath.Join(t.TempDir(), "backup")
	for _, where := range [][]string{{raft()}, {zk, "--registry=zookeeper"}, {raft()}} {
		if _, err := registryCommand(t, text, append([]string{"import", "-"}, where...)...); err != nil {
			t.Fatalf("importing to %v: %v", where, err)
		}
		if _, err := registryCommand(t, text, append([]string{"import", "-"}, where...)...); err == nil || !strings.Contains(err.Error(), "already") {
			t.Errorf("importing to %v again: %v", where, err)
		}
		if _, err := registryCommand(t, "", append([]string{"export", file}, where...)...); err != nil {
			t.Fatalf("exporting from %v: %v", where, err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got := &registrypb.Registry{}
		if err := codec.Unmarshal(codec.JSON, data, got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(full(), got, protocmp.Transform()); diff != "" {
			t.Errorf("through %v:\n%s", where, diff)
		}
		text = string(data)
	}
}

func TestRegistryCommandRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		in   string
		args []string
		want string
	}{
		"nothing":         {"", nil, "usage"},
		"no file":         {"", []string{"export"}, "usage"},
		"another word":    {"", []string{"copy", "x"}, "usage"},
		"in memory":       {"", []string{"export", "-", "--registry=in_memory"}, "in_memory"},
		"no registry":     {"", []string{"export", "-", "--work_dir=" + t.TempDir()}, "no registry"},
		"no JSON":         {"{", []string{"import", "-", "--work_dir=" + dir}, "reading"},
		"no such backup":  {"", []string{"import", dir + "/x", "--work_dir=" + dir}, "no such file"},
		"no place for it": {"{}", []string{"import", "-"}, "--work_dir"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := registryCommand(t, c.in, c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one about %q", err, c.want)
			}
		})
	}
}

// TestImportedRegistryIsServed starts a master on an imported registry.
func TestImportedRegistryIsServed(t *testing.T) {
	backup, err := codec.Marshal(codec.JSON, full())
	if err != nil {
		t.Fatal(err)
	}
	m := &member{port: freePort(t)}
	m.args = []string{"--ip=127.0.0.1", "--port=" + m.port, "--no-hostname_lookup", "--work_dir=" + t.TempDir()}
	if err := RegistryCommand(context.Background(), append([]string{"import", "-"}, m.args...), nil, bytes.NewReader(backup), nil); err != nil {
		t.Fatal(err)
	}
	m.start(t)
	defer m.end(t)
	awaitLeader(t, []*member{m})
	if body := m.body(t, "/weights"); !strings.Contains(body, `{"role":"prod","weight":2.5}`) && !strings.Contains(body, `"weight":2.5`) {
		t.Errorf("weights %s", body)
	}
	if body := m.body(t, "/registrar(1)/registry"); !strings.Contains(body, `"S2"`) || !strings.Contains(body, `"deactivated":true`) {
		t.Errorf("registry %s", body)
	}
}
