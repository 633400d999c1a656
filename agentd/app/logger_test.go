package app

import (
	"testing"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/mesos"
)

func TestLogger(t *testing.T) {
	const ten = 10 << 20
	tests := map[string]struct {
		args []string
		want mesos.Logger
		ok   bool
	}{
		"none":    {nil, mesos.Logger{}, true},
		"sandbox": {[]string{"--container_logger=sandbox"}, mesos.Logger{}, true},
		"rotates": {[]string{"--container_logger=" + rotateLogger},
			mesos.Logger{Stdout: mesos.Rotation{MaxSize: ten}, Stderr: mesos.Rotation{MaxSize: ten}, Prefix: "CONTAINER_LOGGER_"}, true},
		"parameters": {[]string{"--container_logger=" + rotateLogger, `--modules={"libraries": [{"file": "/x.so", "modules": [
			{"name": "org_apache_mesos_LoadQoSController", "parameters": [{"key": "max_stdout_size", "value": "1TB"}]},
			{"name": "org_apache_mesos_LogrotateContainerLogger", "parameters": [
				{"key": "max_stdout_size", "value": "4KB"}, {"key": "logrotate_stdout_options", "value": "rotate 3"},
				{"key": "environment_variable_prefix", "value": "X_"}, {"key": "launcher_dir", "value": "/y"}]}]}]}`},
			mesos.Logger{Stdout: mesos.Rotation{MaxSize: 4096, Keep: 3}, Stderr: mesos.Rotation{MaxSize: ten}, Prefix: "X_"}, true},
		"unknown logger":    {[]string{"--container_logger=journald"}, mesos.Logger{}, false},
		"unknown parameter": {[]string{"--container_logger=" + rotateLogger, `--modules={"libraries":[{"modules":[{"name":"` + rotateLogger + `","parameters":[{"key":"color"}]}]}]}`}, mesos.Logger{}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f, err := ParseFlags(append(tt.args, minimal...), nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := f.logger.logger(f.modules)
			if (err == nil) != tt.ok || tt.ok && got != tt.want {
				t.Errorf("%+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}
