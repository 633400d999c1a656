package app

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
)

func parse(t *testing.T, args ...string) *Flags {
	t.Helper()
	f := NewFlags()
	if err := f.Set.Parse(args, nil); err != nil {
		t.Fatal(err)
	}
	return f
}

// documented is a flag of mesos-master as its documentation has it.
type documented struct{ name, kind, value string }

func readFlags(t *testing.T) []documented {
	t.Helper()
	data, err := os.ReadFile("testdata/flags.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var all []documented
	for i, line := range strings.Split(strings.TrimRight(string(data), "\n"), "\n") {
		if cells := strings.Split(line, "\t"); i > 0 {
			all = append(all, documented{cells[0], cells[1], cells[2]})
		}
	}
	if len(all) < 70 {
		t.Fatalf("only %d flags", len(all))
	}
	return all
}

// TestFlagsOfMesos holds names and defaults against Mesos's documentation.
func TestFlagsOfMesos(t *testing.T) {
	differs := map[string]string{
		"allocator":           "hierarchical", // HierarchicalDRF is the old name
		"http_authenticators": "basic",        // the documentation has a sentence there
		"registry":            "raft",         // replicated_log is an alias of it
	}
	values := parse(t).Set.Values()
	for _, d := range readFlags(t) {
		t.Run(d.name, func(t *testing.T) {
			sample := map[string]string{
				"bool": "true", "authenticators": "crammd5", "authorizers": "local", "acls": "{}", "domain": "{}", "firewall_rules": "{}", "rate_limits": "{}", "ip": "127.0.0.1", "advertise_ip": "127.0.0.1",
				"logging_level": "INFO", "registry": "in_memory", "allocator": "HierarchicalDRF", "role_sorter": "drf", "framework_sorter": "drf",
				"agent_removal_rate_limit": "1/10mins", "recovery_agent_removal_limit": "30%",
				"hooks": "", "master_contender": "", "master_detector": "", // of modules, which are refused
				"zk": "zk://a/b", "offer_constraints_re2_max_mem": "1KB", "allocator_agent_recovery_factor": "0.5",
			}
			value, ok := sample[d.name]
			switch {
			case ok:
			case d.kind == "bool":
				value = "true"
			case strings.HasSuffix(d.value, "secs") || strings.HasSuffix(d.value, "mins") || d.value == "2weeks" || d.name == "offer_timeout":
				value = "3secs"
			default:
				value = "7"
			}
			if err := NewFlags().Set.Parse([]string{"--" + d.name + "=" + value}, nil); err != nil && !strings.Contains(err.Error(), "help") {
				t.Errorf("--%s=%s: %v", d.name, value, err)
			}
			want := d.value
			if other, ok := differs[d.name]; ok {
				want = other
			}
			if got := values[d.name]; want != "" && got != want {
				t.Errorf("default %q, want %q", got, want)
			}
		})
	}
}

func TestOldNamesAndEnvironment(t *testing.T) {
	f := NewFlags()
	err := f.Set.Parse([]string{"--slave_ping_timeout=20secs", "--registry=replicated_log", "--no-root_submissions"},
		[]string{"MESOS_WORK_DIR=/var/lib/mesos", "MESOS_QUORUM=1", "MESOS_MODULES=m", "MESOS_HOOKS=", "MESOS_TASK_ID=x"})
	if err != nil {
		t.Fatal(err)
	}
	if f.AgentPingTimeout != 20*time.Second || f.WorkDir != "/var/lib/mesos" || f.RootSubmissions {
		t.Errorf("read %v, %q, %v", f.AgentPingTimeout, f.WorkDir, f.RootSubmissions)
	}
	if err := f.Validate(); err != nil {
		t.Error(err)
	}
	if f.Quorum == nil || *f.Quorum != 1 {
		t.Errorf("quorum %v", f.Quorum)
	}
	if diff := cmp.Diff([]string{"modules"}, f.Ignored()); diff != "" {
		t.Error(diff)
	}
}

func TestModulesAreRefused(t *testing.T) {
	for _, name := range []string{"hooks", "master_contender", "master_detector"} {
		err := NewFlags().Set.Parse([]string{"--" + name + "=org_example_Module"}, nil)
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "modules can't be loaded") {
			t.Errorf("--%s: error %v", name, err)
		}
	}
}

func TestAllocatorOfAModule(t *testing.T) {
	err := NewFlags().Set.Parse([]string{"--allocator=org_example_Allocator"}, nil)
	if err == nil || !strings.Contains(err.Error(), "allocator") || !strings.Contains(err.Error(), "org_example_Allocator") {
		t.Errorf("error %v", err)
	}
}

func TestValidate(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string // "" is valid
	}{
		"raft":                     {[]string{"--work_dir=/x"}, ""},
		"no work_dir":              {nil, "--work_dir"},
		"memory":                   {[]string{"--registry=in_memory"}, ""},
		"two ways to an IP":        {[]string{"--registry=in_memory", "--ip=127.0.0.1", "--ip_discovery_command=x"}, "--ip_discovery_command"},
		"peers, no address":        {[]string{"--work_dir=/x", "--raft_peers=a:1,b:1"}, "--raft_address"},
		"ZooKeeper, as for Mesos":  {[]string{"--work_dir=/x", "--zk=zk://a/b", "--quorum=2"}, ""},
		"ZooKeeper, by name":       {[]string{"--registry=zookeeper", "--zk=zk://a/b"}, ""},
		"ZooKeeper elects only":    {[]string{"--registry=in_memory", "--zk=zk://a/b"}, ""},
		"raft shows itself":        {[]string{"--work_dir=/x", "--zk=zk://a/b", "--raft_address=a:1", "--raft_peers=a:1,b:1"}, ""},
		"one raft master, shown":   {[]string{"--work_dir=/x", "--registry=raft", "--zk=zk://a/b", "--quorum=1"}, ""},
		"many raft masters, apart": {[]string{"--work_dir=/x", "--registry=raft", "--zk=zk://a/b", "--quorum=2"}, "--raft_peers"},
		"ZooKeeper, where":         {[]string{"--registry=zookeeper"}, "--zk"},
		"a session without time":   {[]string{"--registry=zookeeper", "--zk=zk://a/b", "--zk_session_timeout=0ns"}, "--zk_session_timeout"},
		"strict":                   {[]string{"--registry=in_memory", "--registry_strict"}, "--registry_strict"},
		"no time to store":         {[]string{"--registry=in_memory", "--registry_store_timeout=0ns"}, "--registry_store_timeout"},
		"authentication":           {[]string{"--work_dir=/x", "--authenticate_http_readwrite"}, "--credentials"},
		"with credentials":         {[]string{"--work_dir=/x", "--authenticate_http_readwrite", "--credentials=/x"}, ""},
		"accounts":                 {[]string{"--work_dir=/x", "--authenticate_http_readwrite", "--http_authenticators=serviceaccount"}, ""},
		"frameworks":               {[]string{"--work_dir=/x", "--authenticate_http_frameworks", "--credentials=/x"}, "--http_framework_authenticators"},
		"firewall":                 {[]string{"--work_dir=/x", `--firewall_rules={"disabled_endpoints":{"paths":["state"]}}`}, "--firewall_rules"},
		"authentication is off":    {[]string{"--work_dir=/x", "--authenticate_http_readwrite=false"}, ""},
		"rate limits":              {[]string{"--work_dir=/x", `--rate_limits={"limits":[{"principal":"p","qps":2,"capacity":9}],"aggregate_default_qps":1}`}, ""},
		"no rate":                  {[]string{"--work_dir=/x", `--rate_limits={"limits":[{"principal":"p","qps":0}]}`}, "rate_limits"},
		"a rate for nobody":        {[]string{"--work_dir=/x", `--rate_limits={"limits":[{"qps":1}]}`}, "--rate_limits"},
		"two rates":                {[]string{"--work_dir=/x", `--rate_limits={"limits":[{"principal":"p"},{"principal":"p"}]}`}, "twice"},
		"pings":                    {[]string{"--work_dir=/x", "--max_agent_ping_timeouts=0"}, "max_agent_ping_timeouts"},
		"roles":                    {[]string{"--work_dir=/x", "--roles=,web,,web/api,*"}, ""},
		"a role that is none":      {[]string{"--work_dir=/x", "--roles=web,.,*"}, "--roles"},
		"a role with a blank":      {[]string{"--work_dir=/x", "--roles=web, api"}, "--roles"},
		"ACLs":                     {[]string{"--work_dir=/x", `--acls={"permissive":false}`}, ""},
		"bad ACLs":                 {[]string{"--work_dir=/x", `--acls={"run_tasks":[{}]}`}, "--acls"},
	} {
		t.Run(name, func(t *testing.T) {
			err := parse(t, c.args...).Validate()
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one about %q", err, c.want)
			}
		})
	}
}

// TestRegistryIsNotForgotten: a master that kept its registry by raft doesn't
// begin with an empty one because ZooKeeper is named.
func TestRegistryIsNotForgotten(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/raft", 0o700); err != nil {
		t.Fatal(err)
	}
	err := parse(t, "--work_dir="+dir, "--zk=zk://u:secret@a/b", "--quorum=2").Validate()
	if err == nil || !strings.Contains(err.Error(), "--registry") || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v", err)
	}
	f := parse(t, "--work_dir="+dir, "--zk=zk://u:secret@a/b", "--registry=zookeeper")
	if err := f.Validate(); err != nil {
		t.Error(err)
	}
	if got := f.Set.Values()["zk"]; got != "zk://u:***@a:2181/b" {
		t.Errorf("/flags shows %q", got)
	}
}

func TestMasterInfo(t *testing.T) {
	f := parse(t, "--registry=in_memory", "--hostname=m.example",
		`--domain={"fault_domain":{"region":{"name":"eu"},"zone":{"name":"eu-1"}}}`)
	info, err := f.masterInfo(t.Context(), libprocess.Address{Host: "127.0.0.1", Port: 5050})
	if err != nil {
		t.Fatal(err)
	}
	// As a real master at that address calls itself.
	if info.GetIp() != 16777343 || info.GetPid() != "master@127.0.0.1:5050" || info.GetAddress().GetIp() != "127.0.0.1" ||
		info.GetHostname() != "m.example" || info.GetVersion() != "1.11.0" || info.GetDomain().GetFaultDomain().GetZone().GetName() != "eu-1" {
		t.Errorf("info %v", info)
	}
	a, b := withNewID(info), withNewID(info)
	if a.GetId() == "" || a.GetId() == b.GetId() {
		t.Errorf("IDs %q and %q of two terms", a.GetId(), b.GetId())
	}
	if _, err := parse(t, "--registry=in_memory", `--domain={"fault_domain":{"region":{}}}`).
		masterInfo(t.Context(), libprocess.Address{Host: "127.0.0.1", Port: 5050}); err == nil {
		t.Error("a domain without a name is accepted")
	}
}

func TestMachineGetsTheFlags(t *testing.T) {
	f := parse(t, "--registry=in_memory", "--agent_ping_timeout=20secs", "--max_agent_ping_timeouts=3", "--offer_timeout=1mins",
		"--roles=a,b", "--no-root_submissions", "--max_completed_frameworks=1", "--authenticate_agents",
		"--offer_constraints_re2_max_mem=1KB", "--offer_constraints_re2_max_program_size=7", "--max_executors_per_agent=5",
		`--rate_limits={"aggregate_default_qps":3}`)
	c := f.machine(&mesos.MasterInfo{Id: new("m")}, true)
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if c.AgentPingTimeout != 20*time.Second || c.MaxAgentPingTimeouts != 3 || c.OfferTimeout != time.Minute || !c.NoRootSubmissions ||
		c.OfferConstraints.MaxMemory != 1024 || c.OfferConstraints.MaxProgramSize != 7 || c.MaxExecutorsPerAgent != 5 ||
		c.RateLimits.GetAggregateDefaultQps() != 3 || c.MaxCompletedFrameworks != 1 || !c.AuthenticateAgents || !c.DebugLog || !cmp.Equal(c.Roles, []string{"a", "b"}) {
		t.Errorf("machine %+v", c)
	}
	if _, err := parse(t, "--registry=in_memory", "--min_allocatable_resources=nonsense").
		allocator(&mesos.MasterInfo{}, 1); err == nil || !strings.Contains(err.Error(), "--min_allocatable_resources") {
		t.Errorf("error %v does not name the flag", err)
	}
	if _, err := parse(t, "--work_dir=/x", "--raft_address=a:1", "--raft_peers=a").raft(logr.Discard()); err == nil ||
		!strings.Contains(err.Error(), "--raft_peers") {
		t.Errorf("error %v does not name the flag", err)
	}
}
