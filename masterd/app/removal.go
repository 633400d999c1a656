package app

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mesos-operator/mesos-operator/internal/flags"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// rateType is a rate as mesos-master has it, "1/10mins".
var rateType = flags.Type[state.RateLimit]{
	Parse: parseRate,
	Format: func(r state.RateLimit) string {
		return strconv.Itoa(r.Permits) + "/" + flags.FormatDuration(r.Per)
	},
	Value: "NUMBER/DURATION",
}

func parseRate(text string) (state.RateLimit, error) {
	number, duration, ok := strings.Cut(text, "/")
	permits, err := strconv.Atoi(strings.TrimSpace(number))
	if !ok || err != nil || permits <= 0 {
		return state.RateLimit{}, fmt.Errorf("%q is not of the form <number of agents>/<duration>", text)
	}
	per, err := flags.ParseDuration(strings.TrimSpace(duration))
	if err != nil {
		return state.RateLimit{}, fmt.Errorf("%q is not of the form <number of agents>/<duration>: %w", text, err)
	}
	return state.RateLimit{Permits: permits, Per: per}, nil
}

// percentType is a part of a whole as mesos-master has it, "50%".
var percentType = flags.Type[float64]{
	Parse: parsePercent,
	Format: func(part float64) string {
		return strconv.FormatFloat(100*part, 'g', -1, 64) + "%"
	},
	Value: "PERCENT%",
}

func parsePercent(text string) (float64, error) {
	number, ok := strings.CutSuffix(text, "%")
	percent, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(percent >= 0 && percent <= 100) {
		return 0, fmt.Errorf("%q is not of the form 50%%, between 0%% and 100%%", text)
	}
	return percent / 100, nil
}

// defineRemoval defines the flags that keep a master from giving up many
// agents.
func (f *Flags) defineRemoval() {
	flags.Optional(f.Set, &f.AgentRemovalRateLimit, "agent_removal_rate_limit", rateType,
		"Rate at which agents are marked unreachable at most, such as 1/10mins; default: no limit.",
		flags.Alias("slave_removal_rate_limit"))
	flags.Var(f.Set, &f.RecoveryRemovalLimit, "recovery_agent_removal_limit", 1, percentType,
		"Part of the known agents that may be missing after a change of leader. If more are, the master exits.",
		flags.Alias("recovery_slave_removal_limit"))
}
