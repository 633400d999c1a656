package app

import (
	"fmt"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/mesos"
	"github.com/mesos-operator/mesos-operator/internal/flags"
)

// The container loggers of Mesos: the default, and the one that rotates files, which
// is a module there with parameters in --modules. Here both are built in.
const (
	sandboxLogger = "sandbox"
	rotateLogger  = "org_apache_mesos_LogrotateContainerLogger"
)

// maxLogSize and loggerPrefix are the module's defaults
// (src/slave/container_loggers/lib_logrotate.hpp).
const (
	maxLogSize   = 10 * flags.Megabyte
	loggerPrefix = "CONTAINER_LOGGER_"
)

type loggerFlags struct{ name *string }

func (f *loggerFlags) define(s *flags.Set) {
	s.OptionalString(&f.name, "container_logger", "sandbox, or "+rotateLogger+" to bound what containers print. Default: sandbox.")
}

func (f *loggerFlags) logger(m modules) (mesos.Logger, error) {
	switch given(f.name) {
	case "", sandboxLogger:
		return mesos.Logger{}, nil
	case rotateLogger:
	default:
		return mesos.Logger{}, fmt.Errorf("--container_logger=%s: want %s or %s", *f.name, sandboxLogger, rotateLogger)
	}
	l := mesos.Logger{
		Stdout: mesos.Rotation{MaxSize: maxLogSize}, Stderr: mesos.Rotation{MaxSize: maxLogSize}, Prefix: loggerPrefix,
	}
	for _, p := range m[rotateLogger] {
		if err := setLogger(&l, p.Key, p.Value); err != nil {
			return l, fmt.Errorf("--modules: parameter %s of %s: %w", p.Key, rotateLogger, err)
		}
	}
	return l, nil
}

// setLogger takes one of the module's parameters. Those about programs that are not
// needed here have no effect.
func setLogger(l *mesos.Logger, key, value string) error {
	switch key {
	case "max_stdout_size":
		return l.Stdout.Set(value)
	case "max_stderr_size":
		return l.Stderr.Set(value)
	case "logrotate_stdout_options":
		return l.Stdout.SetOptions(value)
	case "logrotate_stderr_options":
		return l.Stderr.SetOptions(value)
	case "environment_variable_prefix":
		l.Prefix = value
	case "launcher_dir", "logrotate_path", "libprocess_num_worker_threads":
	default:
		return fmt.Errorf("unknown")
	}
	return nil
}
