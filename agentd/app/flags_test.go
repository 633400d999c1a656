package app

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-operator/mesos-operator/internal/flags"
)

var minimal = []string{"--master=127.0.0.1:5050", "--work_dir=/w"}

// TestFlagsOfMesos gives every flag of mesos-agent with the default that it has
// there, and expects the agent to take it.
func TestFlagsOfMesos(t *testing.T) {
	data, err := os.ReadFile("testdata/flags.tsv")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{"isolation": "posix/cpu,posix/mem", "http_authenticators": "basic"}
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		name, rest, _ := strings.Cut(lines.Text(), "\t")
		_, value, _ := strings.Cut(rest, "\t")
		if name == "help" || value == "" || value == "no retries" {
			continue
		}
		if v, ok := values[name]; ok {
			value = v
		}
		t.Run(name, func(t *testing.T) {
			f, err := ParseFlags(append([]string{"--" + name + "=" + value}, minimal...), nil)
			if err != nil {
				t.Fatal(err)
			}
			if slices.Contains(f.ignored, name) && name != "http_authenticators" && name != "systemd_enable_support" &&
				name != "ephemeral_ports_per_container" {
				t.Errorf("the default %s counts as a change", value)
			}
		})
	}
}

// TestShownFlags compares /flags of an agent that was given what the recorded one
// was given.
func TestShownFlags(t *testing.T) {
	data, err := os.ReadFile("testdata/fresh_flags.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Body struct{ Flags map[string]string }
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	want := golden.Body.Flags
	args := []string{}
	for _, name := range []string{
		"attributes", "domain", "hostname", "ip", "isolation", "launcher", "launcher_dir", "master", "port", "resources",
		"runtime_dir", "work_dir",
	} {
		args = append(args, "--"+name+"="+want[name])
	}
	f, err := ParseFlags(args, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := f.set.Values()
	for _, ours := range []string{"cdi_spec_dirs", "docker_bridge", "docker_bridge_subnet", "gpu_cdi_kind", "host_mount_namespace", "oci_runtime", "runtime"} {
		delete(got, ours)
	}
	for _, builds := range []string{ // shown by builds with other options
		"check_agent_port_range_only", "enforce_container_ports", "container_ports_watch_interval",
		"authenticate_http_executors", "egress_unique_flow_per_container", "network_enable_snmp_statistics",
		"network_enable_socket_statistics_details", "network_enable_socket_statistics_summary",
		"xfs_project_range", "xfs_kill_containers", "xfs_quota_headroom",
	} {
		delete(got, builds)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("/flags (-Mesos +ours):\n%s", diff)
	}
}

func TestParseFlags(t *testing.T) {
	tests := map[string]struct {
		args, environ []string
		wrong         string // in the error
	}{
		"minimal":               {args: minimal},
		"environment":           {environ: []string{"MESOS_MASTER=a:5050", "MESOS_WORK_DIR=/w", "MESOS_SANDBOX=/x"}},
		"nothing":               {wrong: "--work_dir are required"},
		"relative":              {args: []string{"--master=a:1", "--work_dir=w"}, wrong: "absolute"},
		"unknown":               {args: append(minimal, "--nonsense=1"), wrong: "nonsense"},
		"recover":               {args: append(minimal, "--recover=never"), wrong: "recover"},
		"slow reregistration":   {args: append(minimal, "--executor_reregistration_timeout=1mins"), wrong: "15secs"},
		"headroom":              {args: append(minimal, "--gc_disk_headroom=2"), wrong: "between 0 and 1"},
		"executors, no key":     {args: append(minimal, "--authenticate_http_executors"), wrong: "--jwt_secret_key"},
		"timeouts":              {args: append(minimal, "--authentication_timeout_min=2mins"), wrong: "authentication_timeout_max"},
		"bad firewall":          {args: append(minimal, "--firewall_rules=[]"), wrong: "--firewall_rules"},
		"no authentication":     {args: append(minimal, "--no-authenticate_http_readwrite")},
		"ACLs":                  {args: append(minimal, "--acls={}")},
		"bad ACLs":              {args: append(minimal, `--acls={"view_flags":[{}]}`), wrong: "--acls"},
		"another containerizer": {args: append(minimal, "--containerizers=docker,other"), wrong: "want mesos, docker"},
		"ignored":               {args: append(minimal, "--eth0_name=file:///does/not/exist", "--systemd_enable_support")},
		"hooks":                 {args: append(minimal, "--hooks=a"), wrong: "modules can't be loaded"},
		"two ways to an IP":     {args: append(minimal, "--ip=127.0.0.1", "--ip_discovery_command=x"), wrong: "--ip_discovery_command"},
		"a feature less":        {args: append(minimal, `--agent_features={"capabilities":[{"type":"MULTI_ROLE"}]}`), wrong: "HIERARCHICAL_ROLE"},
		"a feature more":        {args: append(minimal, `--agent_features={"capabilities":[{"type":"TELEPATHY"}]}`), wrong: "TELEPATHY"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ParseFlags(tt.args, tt.environ)
			if (err == nil) != (tt.wrong == "") || err != nil && !strings.Contains(err.Error(), tt.wrong) {
				t.Errorf("error %v, want one with %q", err, tt.wrong)
			}
		})
	}
	f, err := ParseFlags(append(minimal, "--eth0_name=file:///does/not/exist", "--systemd_enable_support"), nil)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(f.ignored)
	if diff := cmp.Diff([]string{"eth0_name", "systemd_enable_support"}, f.ignored); diff != "" {
		t.Errorf("ignored flags (-want +got):\n%s", diff)
	}
}

func TestOffered(t *testing.T) {
	small := machine{cpus: 2, mem: flags.Gigabyte, disk: 4 * flags.Gigabyte}
	big := machine{cpus: 64, mem: 128 * flags.Gigabyte, disk: 1000 * flags.Gigabyte}
	tests := map[string]struct {
		text, role string
		machine    machine
		want       string // of String; "" for an error
	}{
		"all detected":     {"", "*", big, "cpus:64; mem:130048; disk:1018880; ports:[31000-32000]"},
		"half of a little": {"", "*", small, "cpus:2; mem:512; disk:2048; ports:[31000-32000]"},
		"unknown":          {"", "*", machine{cpus: 1}, "cpus:1; mem:1024; disk:10240; ports:[31000-32000]"},
		"named": {"cpus:4;mem:4096;disk:10240;ports:[31000-32000]", "*", small,
			"cpus:4; mem:4096; disk:10240; ports:[31000-32000]"},
		"zero is named": {"cpus:0;mem:100;disk:100", "*", small, "mem:100; disk:100; ports:[31000-32000]"},
		"reserved":      {"cpus(prod):1;mem:1;disk:1;ports:[1-2]", "*", small, "cpus(reservations: [(STATIC,prod)]):1; mem:1; disk:1; ports:[1-2]"},
		"default role":  {"mem:1;disk:1;ports:[1-2]", "prod", small, "cpus(reservations: [(STATIC,prod)]):2; mem(reservations: [(STATIC,prod)]):1; disk(reservations: [(STATIC,prod)]):1; ports(reservations: [(STATIC,prod)]):[1-2]"},
		"JSON":          {`[{"name":"cpus","type":"SCALAR","scalar":{"value":3}}]`, "*", small, "cpus:3; mem:512; disk:2048; ports:[31000-32000]"},
		"custom":        {"bugs:{a,b};cpus:1", "*", small, "cpus:1; mem:512; disk:2048; ports:[31000-32000]; bugs:{a, b}"},
		"nonsense":      {"cpus:many", "*", small, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := offered(tt.text, tt.role, tt.machine)
			if (err == nil) != (tt.want != "") || err == nil && got.String() != tt.want {
				t.Errorf("offered = %s, %v; want %s", got, err, tt.want)
			}
		})
	}
}

func TestLauncherAndRuntime(t *testing.T) {
	tests := map[string]struct {
		args              []string
		launcher, runtime string
	}{
		"Mesos's way":        {[]string{"--launcher=linux"}, "linux", "posix"},
		"OCI":                {[]string{"--launcher=linux", "--runtime=oci"}, "linux", "oci"},
		"OCI as launcher":    {[]string{"--launcher=oci", "--isolation=cgroups/cpu"}, "linux", "oci"},
		"posix":              {[]string{"--launcher=posix"}, "posix", "posix"},
		"posix with cgroups": {[]string{"--launcher=posix", "--isolation=cgroups/cpu,cgroups/mem"}, "linux", "posix"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f, err := ParseFlags(append(tt.args, minimal...), nil)
			if err != nil {
				t.Fatal(err)
			}
			cfg, err := f.containerizerConfig()
			if err != nil {
				t.Fatal(err)
			}
			if cfg.Launcher != tt.launcher || cfg.Runtime != tt.runtime {
				t.Errorf("launcher %s, runtime %s", cfg.Launcher, cfg.Runtime)
			}
		})
	}
}

func TestMain_version(t *testing.T) {
	var out, errs bytes.Buffer
	if code := Main([]string{"--version"}, nil, &out, &errs); code != 0 || !strings.HasPrefix(out.String(), "mesos 1.11.0") {
		t.Errorf("%d %q %q", code, out.String(), errs.String())
	}
	out.Reset()
	if code := Main([]string{"--help"}, nil, &out, &errs); code != 0 || !strings.Contains(out.String(), "--work_dir") {
		t.Errorf("%d %q", code, out.String())
	}
	if code := Main(nil, nil, &out, &errs); code != 2 || !strings.Contains(errs.String(), "--master") {
		t.Errorf("%d %q", code, errs.String())
	}
}

// Beside Kubernetes's pods an agent weighs what it offers.
func TestWeight(t *testing.T) {
	for namespace, want := range map[string]float64{"": 0, "/proc/1/ns/mnt": 2.5} {
		f := &Flags{MountNamespace: namespace, Resources: new("cpus:2.5;mem:64"), DefaultRole: "*", WorkDir: t.TempDir()}
		if got, err := f.weight(); err != nil || got != want {
			t.Errorf("%q: %v, error %v", namespace, got, err)
		}
	}
}

func TestFeatures(t *testing.T) {
	names := func(f *Flags) (out []string) {
		cs, err := f.capabilities()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cs {
			out = append(out, c.GetType().String())
		}
		return out
	}
	all := names(&Flags{})
	if len(all) != 8 {
		t.Errorf("by default %v", all)
	}
	var list []string
	for _, name := range all {
		if name != "RESIZE_VOLUME" {
			list = append(list, `{"type":"`+name+`"}`)
		}
	}
	f, err := ParseFlags(append([]string{`--agent_features={"capabilities":[` + strings.Join(list, ",") + `]}`}, minimal...), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := names(f); len(got) != 7 || slices.Contains(got, "RESIZE_VOLUME") {
		t.Errorf("told of %v", got)
	}
}

func TestEndpoint(t *testing.T) {
	f, err := ParseFlags(append([]string{"--ip_discovery_command=echo 127.0.0.1", "--port=7", "--advertise_ip=10.0.0.7", "--advertise_port=8"}, minimal...), nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := f.endpoint(t.Context())
	if err != nil || e.IP.String() != "127.0.0.1" || e.Port != 7 || e.AdvertiseIP.String() != "10.0.0.7" || e.AdvertisePort != 8 {
		t.Errorf("%+v, %v", e, err)
	}
	for _, bad := range []string{"exit 1", "echo localhost"} {
		if _, err := (&Flags{IPDiscovery: &bad}).endpoint(t.Context()); err == nil {
			t.Errorf("%q gave an address", bad)
		}
	}
}
