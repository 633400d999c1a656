package app

import (
	"github.com/mesos-operator/mesos-operator/internal/flags"
)

// compat are flags of mesos-agent that are accepted so that its command lines
// work, and that have no effect here, or not yet.
type compat struct {
	switches map[string]*bool
	texts    map[string]*string
	optional map[string]**string
}

// ignoredSwitches and ignoredTexts have the defaults of Mesos 1.11; optionalTexts have none.
var (
	ignoredSwitches = map[string]bool{
		"docker_kill_orphans":                      true,
		"docker_volume_chown":                      false,
		"egress_unique_flow_per_container":         false,
		"http_command_executor":                    false,
		"initialize_driver_logging":                true,
		"network_cni_metrics":                      true,
		"network_cni_root_dir_persist":             false,
		"network_enable_snmp_statistics":           false,
		"network_enable_socket_statistics_details": false,
		"network_enable_socket_statistics_summary": false,
		"systemd_enable_support":                   false,
	}
	ignoredTexts = map[string]string{
		"docker":                       "docker",
		"docker_remove_delay":          "6hrs",
		"docker_socket":                "/var/run/docker.sock",
		"docker_stop_timeout":          "0ns",
		"docker_volume_checkpoint_dir": "/var/run/mesos/isolators/docker/volume",
		"logbufsecs":                   "0",
		"systemd_runtime_directory":    "/run/systemd/system",
	}
	optionalTexts = []string{
		"agent_subsystems",
		"csi_plugin_config_dir",
		"disk_profile_adaptor", "docker_mesos_image",
		"egress_flow_classifier_parent",
		"egress_rate_limit_per_container", "ephemeral_ports_per_container", "eth0_name",
		"ip6",
		"ip6_discovery_command", "lo_name",
		"network_cni_config_dir", "network_cni_plugins_dir",
	}
)

func defineCompat(s *flags.Set) *compat {
	c := &compat{switches: map[string]*bool{}, texts: map[string]*string{}, optional: map[string]**string{}}
	for name, value := range ignoredSwitches {
		c.switches[name] = new(bool)
		s.Bool(c.switches[name], name, value, "Accepted, without effect.", flags.Hidden())
	}
	for name, value := range ignoredTexts {
		c.texts[name] = new(string)
		s.String(c.texts[name], name, value, "Accepted, without effect.", flags.Hidden())
	}
	for _, name := range refusedTexts {
		flags.Optional(s, new(*string), name, flags.ModuleType, "Refused: modules can't be loaded.", flags.Hidden())
	}
	for _, name := range optionalTexts {
		c.optional[name] = new(*string)
		// PATH-like values must not be read: they may be secrets, or not exist.
		flags.Optional(s, c.optional[name], name, flags.PathType, "Accepted, without effect.", flags.Hidden())
	}
	return c
}

// refusedTexts would load a module of somebody's, which can't be done.
var refusedTexts = []string{"hooks", "master_detector"}

// check returns the flags that were given and have no effect. It fails for those
// that must not be ignored.
func (c *compat) check(s *flags.Set) (ignored []string, err error) {
	for name, v := range c.switches {
		if s.Given(name) && *v != ignoredSwitches[name] {
			ignored = append(ignored, name)
		}
	}
	for name, v := range c.texts {
		if s.Given(name) && !same(*v, ignoredTexts[name]) {
			ignored = append(ignored, name)
		}
	}
	for name := range c.optional {
		if s.Given(name) {
			ignored = append(ignored, name)
		}
	}
	return ignored, nil
}

// same says whether two values mean the same: durations can be written in many ways.
func same(a, b string) bool {
	x, err1 := flags.ParseDuration(a)
	y, err2 := flags.ParseDuration(b)
	return a == b || err1 == nil && err2 == nil && x == y
}
