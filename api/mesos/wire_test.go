package mesos_test

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/mesos-operator/mesos-operator/api/mesos/acls"
	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	"github.com/mesos-operator/mesos-operator/api/mesos/messages/cni"
	"github.com/mesos-operator/mesos-operator/api/mesos/messages/log"
	"github.com/mesos-operator/mesos-operator/api/mesos/messages/state"
	v0scheduler "github.com/mesos-operator/mesos-operator/api/mesos/v0/scheduler"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/allocator"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/maintenance"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/quota"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/resourceprovider"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
)

// files are all generated files, by the file of Mesos whose facts they must equal.
var files = map[string][]protoreflect.FileDescriptor{
	"mesos/v1/mesos.proto": {
		mesos.File_mesos_v1_cluster_proto, mesos.File_mesos_v1_command_proto, mesos.File_mesos_v1_container_proto,
		mesos.File_mesos_v1_framework_proto, mesos.File_mesos_v1_ids_proto, mesos.File_mesos_v1_offer_proto,
		mesos.File_mesos_v1_resource_proto, mesos.File_mesos_v1_statistics_proto, mesos.File_mesos_v1_task_proto,
		mesos.File_mesos_v1_value_proto,
	},
	"mesos/v1/agent/agent.proto":                                 {agent.File_mesos_v1_agent_agent_proto},
	"mesos/v1/allocator/allocator.proto":                         {allocator.File_mesos_v1_allocator_allocator_proto},
	"mesos/v1/executor/executor.proto":                           {executor.File_mesos_v1_executor_executor_proto},
	"mesos/v1/maintenance/maintenance.proto":                     {maintenance.File_mesos_v1_maintenance_maintenance_proto},
	"mesos/v1/master/master.proto":                               {master.File_mesos_v1_master_master_proto},
	"mesos/v1/quota/quota.proto":                                 {quota.File_mesos_v1_quota_quota_proto},
	"mesos/v1/resource_provider/resource_provider.proto":         {resourceprovider.File_mesos_v1_resourceprovider_resource_provider_proto},
	"mesos/v1/scheduler/scheduler.proto":                         {scheduler.File_mesos_v1_scheduler_scheduler_proto},
	"messages/messages.proto":                                    {messages.File_mesos_messages_messages_proto},
	"messages/flags.proto":                                       {messages.File_mesos_messages_flags_proto},
	"messages/log.proto":                                         {log.File_mesos_messages_log_log_proto},
	"messages/state.proto":                                       {state.File_mesos_messages_state_state_proto},
	"mesos/state/state.proto":                                    {state.File_mesos_messages_state_state_proto},
	"mesos/authentication/authentication.proto":                  {messages.File_mesos_messages_authentication_proto},
	"mesos/authorizer/acls.proto":                                {acls.File_mesos_acls_acls_proto},
	"slave/containerizer/mesos/isolators/network/cni/spec.proto": {cni.File_mesos_messages_cni_cni_proto},
}

// TestWire compares every message, field, number, label, type, default and enum value with the facts
// recorded from Mesos, both ways: nothing is missing and nothing was added.
func TestWire(t *testing.T) {
	facts := readFacts(t)
	for file := range files {
		if facts[file] == nil {
			t.Errorf("no facts about %s", file)
		}
	}
	got, want := map[string]string{}, map[string]string{}
	for file, descriptors := range files {
		maps.Copy(want, facts[file])
		for _, d := range descriptors {
			collect(got, d.Messages(), d.Enums())
		}
	}
	if len(want) < 2000 {
		t.Fatalf("only %d facts: the table is not whole", len(want))
	}
	t.Logf("%d facts compared", len(want))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("wire differs (-Mesos +ours):\n%s", diff)
	}
}

// TestV0SchedulerCall compares the one message of which v0 and v1 are different bytes.
func TestV0SchedulerCall(t *testing.T) {
	want := map[string]string{}
	for key, value := range readFacts(t)["mesos/scheduler/scheduler.proto"] {
		if parent, _, _ := strings.Cut(key, "#"); parent == "mesos.scheduler.Call" || parent == "mesos.scheduler.Call.Subscribe" {
			want[key] = strings.Replace(v1Type(value), "mesos.v1.scheduler.Call.Subscribe", "mesos.scheduler.Call.Subscribe", 1)
		}
	}
	got := map[string]string{}
	d := v0scheduler.File_mesos_v0_scheduler_scheduler_proto
	collect(got, d.Messages(), d.Enums())
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("wire differs (-Mesos +ours):\n%s", diff)
	}
}

// readFacts returns, by file, "parent#name" -> "number label type default flags".
func readFacts(t *testing.T) map[string]map[string]string {
	t.Helper()
	f, err := os.Open("testdata/wire.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	facts := map[string]map[string]string{}
	lines := bufio.NewScanner(f)
	lines.Scan() // the header
	for lines.Scan() {
		c := strings.Split(lines.Text(), "\t")
		if facts[c[1]] == nil {
			facts[c[1]] = map[string]string{}
		}
		number, _ := strconv.Atoi(c[4])
		if c[0] == "message" {
			facts[c[1]][c[2]+"#"] = "message"
			continue
		}
		typ := c[6]
		if strings.HasPrefix(c[2], "mesos.internal") {
			typ = v1Type(typ)
		}
		facts[c[1]][c[2]+"#"+c[3]] = strings.TrimSpace(fmt.Sprintf("%d %s %s %s %s", number, c[5], typ, c[7], flags(c[8])))
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return facts
}

func flags(s string) string {
	parts := strings.Split(s, ",")
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

var v0Name = regexp.MustCompile(`\bmesos\.(([a-z_]+\.)?)([A-Z])`)

// v1Type renames a v0 type to the v1 type that has the same bytes.
func v1Type(t string) string {
	if strings.HasPrefix(t, "mesos.internal.") {
		return t
	}
	t = v0Name.ReplaceAllString(t, "mesos.v1.$1$3")
	return strings.ReplaceAll(t, "mesos.v1.Slave", "mesos.v1.Agent")
}

func collect(out map[string]string, ms protoreflect.MessageDescriptors, es protoreflect.EnumDescriptors) {
	for i := range es.Len() {
		values := es.Get(i).Values()
		for j := range values.Len() {
			v := values.Get(j)
			f := ""
			if v.Options().(*descriptorpb.EnumValueOptions).GetDeprecated() {
				f = "deprecated"
			}
			out[fmt.Sprintf("%s#%s", es.Get(i).FullName(), v.Name())] = strings.TrimSpace(fmt.Sprintf("%d    %s", v.Number(), f))
		}
	}
	for i := range ms.Len() {
		m := ms.Get(i)
		if m.Fields().Len() == 0 {
			out[string(m.FullName())+"#"] = "message"
		}
		for j := range m.Fields().Len() {
			f := m.Fields().Get(j)
			out[fmt.Sprintf("%s#%s", m.FullName(), f.Name())] = describe(f)
		}
		collect(out, m.Messages(), m.Enums())
	}
}

func describe(f protoreflect.FieldDescriptor) string {
	typ := f.Kind().String()
	switch {
	case f.Message() != nil:
		typ = string(f.Message().FullName())
	case f.Enum() != nil:
		typ = string(f.Enum().FullName())
	}
	value := ""
	if f.HasDefault() {
		value = f.Default().String()
		if e := f.DefaultEnumValue(); e != nil {
			value = string(e.Name())
		}
	}
	var fl []string
	if f.Options().(*descriptorpb.FieldOptions).GetDeprecated() {
		fl = append(fl, "deprecated")
	}
	if f.IsMap() {
		fl = append(fl, "map")
	}
	if o := f.ContainingOneof(); o != nil {
		fl = append(fl, "oneof="+string(o.Name()))
	}
	slices.Sort(fl)
	return strings.TrimSpace(fmt.Sprintf("%d %s %s %s %s", f.Number(), f.Cardinality(), typ, value, strings.Join(fl, ",")))
}
