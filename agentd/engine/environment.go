package engine

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/secrets"
	"github.com/mesos-operator/mesos-operator/agentd/state"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/flags"
)

// hostPath is where executors find programs unless they are told otherwise.
const hostPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Environment is what all executors of the agent are told.
type Environment struct {
	// Executors are variables for every executor: --executor_environment_variables.
	Executors map[string]string
	// LibprocessIP is passed on if the agent was given it: where no DNS is,
	// executors can't find their own address.
	LibprocessIP string
	// TLS are the variables by which executors reach an agent that speaks
	// nothing but TLS; nil if it also does without.
	TLS map[string]string
	// Socket is the path of the agent's domain socket for executors; empty for none.
	Socket string
	// RecoveryTimeout is how long executors wait for an agent that is away.
	RecoveryTimeout time.Duration
	// SubscriptionBackoffMax bounds their pauses between attempts to subscribe.
	SubscriptionBackoffMax time.Duration
	// Token makes the token by which an executor proves who it is; nil if
	// executors need none.
	Token func(framework, executor, container string) (string, error)
	// Secrets finds the values of variables that are secrets. Default: those
	// that come with their value.
	Secrets secrets.Resolver
	// ShutdownGrace is what an executor has to end, unless it says itself.
	ShutdownGrace time.Duration
}

// endpoint is where executors find the agent.
type endpoint struct{ pid, address string }

// of is the environment of one container: the agent's part first, so that
// command and framework can't be kept from what they set themselves.
func (e Environment) of(ctx context.Context, l state.LaunchContainer, agent endpoint) (map[string]string, error) {
	out := map[string]string{"PATH": hostPath}
	if e.LibprocessIP != "" {
		out["LIBPROCESS_IP"] = e.LibprocessIP
	}
	maps.Copy(out, e.TLS)
	maps.Copy(out, e.Executors)
	grace := e.ShutdownGrace
	if g := l.Executor.GetShutdownGracePeriod(); g != nil {
		grace = time.Duration(g.GetNanoseconds())
	}
	checkpoint := "0"
	if l.Checkpoint {
		checkpoint = "1"
		out["MESOS_RECOVERY_TIMEOUT"] = flags.FormatDuration(e.RecoveryTimeout)
		out["MESOS_SUBSCRIPTION_BACKOFF_MAX"] = flags.FormatDuration(e.SubscriptionBackoffMax)
	}
	maps.Copy(out, map[string]string{
		"LIBPROCESS_PORT":                      "0",
		"MESOS_FRAMEWORK_ID":                   l.FrameworkID,
		"MESOS_EXECUTOR_ID":                    l.Executor.GetExecutorId().GetValue(),
		"MESOS_DIRECTORY":                      l.Directory,
		"MESOS_SANDBOX":                        l.Directory,
		"MESOS_SLAVE_ID":                       l.AgentID,
		"MESOS_SLAVE_PID":                      agent.pid,
		"MESOS_AGENT_ENDPOINT":                 agent.address,
		"MESOS_CHECKPOINT":                     checkpoint,
		"MESOS_HTTP_COMMAND_EXECUTOR":          "1",
		"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": flags.FormatDuration(grace),
	})
	if e.Socket != "" {
		out["MESOS_DOMAIN_SOCKET"] = e.Socket
	}
	if err := e.addVariables(ctx, out, l.Executor.GetCommand().GetEnvironment()); err != nil || e.Token == nil {
		return out, err
	}
	token, err := e.Token(l.FrameworkID, l.Executor.GetExecutorId().GetValue(), l.Container)
	if err != nil {
		return nil, fmt.Errorf("making the executor's token: %w", err)
	}
	out["MESOS_EXECUTOR_AUTHENTICATION_TOKEN"] = token // a framework can't set another one
	return out, nil
}

// addVariables adds those of a command.
func (e Environment) addVariables(ctx context.Context, out map[string]string, env *mesos.Environment) error {
	for _, v := range env.GetVariables() {
		if v.GetType() != mesos.Environment_Variable_SECRET {
			out[v.GetName()] = v.GetValue()
			continue
		}
		value, err := e.Secrets(ctx, v.GetSecret())
		if err != nil {
			return fmt.Errorf("variable %s: %w", v.GetName(), err)
		}
		if bytes.IndexByte(value, 0) >= 0 {
			return fmt.Errorf("variable %s: the secret has a null byte, which no environment can hold", v.GetName())
		}
		out[v.GetName()] = string(value)
	}
	return nil
}
