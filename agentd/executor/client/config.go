package client

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-logr/logr"

	"github.com/mesos-operator/mesos-operator/internal/flags"
	"github.com/mesos-operator/mesos-operator/internal/tlsconfig"
)

// Config is what an executor is told by its environment.
type Config struct {
	// URL is the agent's executor API.
	URL string
	// Socket is the path of the agent's domain socket, if it is to be used.
	Socket string
	// FrameworkID and ExecutorID say who the executor is.
	FrameworkID, ExecutorID string
	// TLS secures connections to the agent; nil: they are in the clear.
	TLS *tlsconfig.Source
	// Token authenticates the executor, if it is not empty.
	Token string
	// Checkpoint says that the executor outlives its agent: it then tries to
	// reconnect for RecoveryTimeout, and waits up to BackoffMax between attempts.
	Checkpoint                  bool
	RecoveryTimeout, BackoffMax time.Duration
	// ShutdownGrace is how long the agent lets the executor live after SHUTDOWN.
	ShutdownGrace time.Duration
	// RetryAfter is when an update that is not acknowledged is sent again,
	// for the first time; later it takes longer.
	RetryAfter time.Duration
	// OnDisconnect is called when a subscription has ended, if it is set.
	OnDisconnect func()
}

// Mesos's default for agents that don't tell (flag
// --executor_shutdown_grace_period), and its interval for retries of updates.
const (
	defaultShutdownGrace = 5 * time.Second
	defaultRetryAfter    = 10 * time.Second
)

// FromEnvironment reads the variables that agents set. lookup is os.LookupEnv.
func FromEnvironment(lookup func(string) (string, bool)) (Config, error) {
	get := func(name string) string { v, _ := lookup(name); return v }
	c := Config{
		Socket:        get("MESOS_DOMAIN_SOCKET"),
		FrameworkID:   get("MESOS_FRAMEWORK_ID"),
		ExecutorID:    get("MESOS_EXECUTOR_ID"),
		Token:         get("MESOS_EXECUTOR_AUTHENTICATION_TOKEN"),
		Checkpoint:    get("MESOS_CHECKPOINT") == "1",
		ShutdownGrace: defaultShutdownGrace,
		RetryAfter:    defaultRetryAfter,
	}
	var errs []error
	duration := func(name string, required bool, into *time.Duration) {
		v, ok := lookup(name)
		if !ok {
			if required {
				errs = append(errs, fmt.Errorf("%s is not set", name))
			}
			return
		}
		d, err := flags.ParseDuration(v)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			return
		}
		*into = d
	}
	duration("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", false, &c.ShutdownGrace)
	duration("MESOS_RECOVERY_TIMEOUT", c.Checkpoint, &c.RecoveryTimeout)
	duration("MESOS_SUBSCRIPTION_BACKOFF_MAX", c.Checkpoint, &c.BackoffMax)
	var err error
	if c.URL, err = endpoint(get("MESOS_SLAVE_PID"), get("MESOS_AGENT_ENDPOINT")); err != nil {
		errs = append(errs, err)
	}
	if c.Socket == "" {
		errs = append(errs, c.secure(lookup))
	} else if c.Socket, err = socketPath(c.Socket); err != nil {
		errs = append(errs, err)
	}
	for name, v := range map[string]string{"MESOS_FRAMEWORK_ID": c.FrameworkID, "MESOS_EXECUTOR_ID": c.ExecutorID} {
		if v == "" {
			errs = append(errs, fmt.Errorf("%s is not set", name))
		}
	}
	return c, errors.Join(errs...)
}

// secure uses TLS if that is wanted. A domain socket speaks in the clear: what goes by it does
// not leave the machine.
func (c *Config) secure(lookup func(string) (string, bool)) error {
	settings, err := tlsconfig.FromEnvironment(lookup)
	if err != nil || settings == nil {
		return err
	}
	if c.TLS, err = tlsconfig.OpenClient(settings, logr.Discard()); err != nil {
		return err
	}
	c.URL = c.TLS.Scheme() + strings.TrimPrefix(c.URL, "http")
	return nil
}

// maxSocketPath is the size of sun_path, with the null byte at its end.
const maxSocketPath = 108

// socketPath is a path by which the socket can be reached: one that is too long for the
// kernel may be short enough from the working directory, the sandbox.
func socketPath(path string) (string, error) {
	if len(path) < maxSocketPath {
		return path, nil
	}
	here, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("MESOS_DOMAIN_SOCKET: %w", err)
	}
	short, err := filepath.Rel(here, path)
	if err != nil || len(short) >= maxSocketPath {
		return "", fmt.Errorf("MESOS_DOMAIN_SOCKET=%s: want less than %d characters, also from the working directory", path, maxSocketPath)
	}
	return short, nil
}

// endpoint makes the URL of the agent's PID, such as "slave(1)@10.0.0.1:5051", or
// of its address alone.
func endpoint(pid, address string) (string, error) {
	id := "slave(1)"
	if pid != "" {
		var ok bool
		if id, address, ok = strings.Cut(pid, "@"); !ok || id == "" || strings.Contains(id, "/") {
			return "", fmt.Errorf("MESOS_SLAVE_PID %q: want id@ip:port", pid)
		}
	}
	if address == "" {
		return "", errors.New("neither MESOS_SLAVE_PID nor MESOS_AGENT_ENDPOINT is set")
	}
	if _, err := netip.ParseAddrPort(address); err != nil {
		return "", fmt.Errorf("the agent's address %q: want ip:port: %w", address, err)
	}
	return "http://" + address + "/" + id + "/api/v1/executor", nil
}
