package app

import (
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/masterd/state"
)

func TestRemovalFlags(t *testing.T) {
	for name, c := range map[string]struct {
		arg     string
		rate    state.RateLimit
		percent float64
		shown   string
		invalid bool
	}{
		"none":         {percent: 1},
		"one":          {arg: "--agent_removal_rate_limit=1/10mins", rate: state.RateLimit{Permits: 1, Per: 10 * time.Minute}, percent: 1, shown: "1/10mins"},
		"old name":     {arg: "--slave_removal_rate_limit=2/3hrs", rate: state.RateLimit{Permits: 2, Per: 3 * time.Hour}, percent: 1, shown: "2/3hrs"},
		"no duration":  {arg: "--agent_removal_rate_limit=5", invalid: true},
		"no number":    {arg: "--agent_removal_rate_limit=/1mins", invalid: true},
		"zero":         {arg: "--agent_removal_rate_limit=0/1mins", invalid: true},
		"bad duration": {arg: "--agent_removal_rate_limit=1/minute", invalid: true},
		"half":         {arg: "--recovery_agent_removal_limit=50%", percent: 0.5, shown: "50%"},
		"no percent":   {arg: "--recovery_agent_removal_limit=50", invalid: true},
		"too much":     {arg: "--recovery_agent_removal_limit=101%", invalid: true},
		"not a number": {arg: "--recovery_agent_removal_limit=NaN%", invalid: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := NewFlags()
			args := []string{"--registry=in_memory"}
			if c.arg != "" {
				args = append(args, c.arg)
			}
			if err := f.Set.Parse(args, nil); err != nil || c.invalid {
				if (err != nil) != c.invalid {
					t.Fatalf("%s: %v", c.arg, err)
				}
				return
			}
			got := f.machine(nil, false)
			if got.AgentRemovalRateLimit != c.rate || got.RecoveryAgentRemovalLimit != c.percent {
				t.Errorf("read %+v and %v", got.AgentRemovalRateLimit, got.RecoveryAgentRemovalLimit)
			}
			values := f.Set.Values()
			if c.shown != "" && values["agent_removal_rate_limit"] != c.shown && values["slave_removal_rate_limit"] != c.shown && values["recovery_agent_removal_limit"] != c.shown {
				t.Errorf("/flags shows %q and %q", values["agent_removal_rate_limit"], values["recovery_agent_removal_limit"])
			}
		})
	}
}
