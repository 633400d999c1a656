package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mesos-operator/mesos-operator/controllers/cluster/resources"
)

// config is what the flags say.
type config struct {
	images         resources.Defaults
	namespace      string
	metricsAddress string
	healthAddress  string
	leaderElect    bool
	electionSpace  string
	workers        int
	poll           time.Duration
	pollTimeout    time.Duration
	logLevel       string
	tokenReviewers string
	account        string
}

// parse reads the flags. It writes usage and what is wrong to out.
func parse(args []string, out io.Writer) (config, error) {
	var c config
	flags := flag.NewFlagSet("operator", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&c.images.MasterImage, "masterd-image", "", "image of masterd for MesosClusters that name none (required)")
	flags.StringVar(&c.images.AgentImage, "agentd-image", "", "image of agentd for MesosClusters that name none (required)")
	flags.StringVar(&c.namespace, "namespace", "", "watch this namespace only, instead of all")
	flags.StringVar(&c.metricsAddress, "metrics-bind-address", ":8080", "where /metrics is served; 0 serves none")
	flags.StringVar(&c.healthAddress, "health-probe-bind-address", ":8081", "where /healthz and /readyz are served")
	flags.BoolVar(&c.leaderElect, "leader-elect", false, "let one of several replicas work and the others wait")
	flags.StringVar(&c.electionSpace, "leader-election-namespace", "", "namespace of the election's Lease; by default the operator's own")
	flags.IntVar(&c.workers, "workers", 4, "how many MesosClusters are reconciled at a time")
	flags.DurationVar(&c.poll, "poll-interval", 3*time.Second, "how often each leading master is asked for its agents")
	flags.DurationVar(&c.pollTimeout, "poll-timeout", 3*time.Second, "how long a leading master may take to answer")
	flags.StringVar(&c.tokenReviewers, "token-reviewers", "",
		"ClusterRoleBinding to list masters and agents in that review tokens of ServiceAccounts; without it no cluster can have spec.authentication.serviceAccounts")
	flags.StringVar(&c.account, "account", "",
		"the operator's own ServiceAccount, as namespace/name, whose tokens it shows to masters that ask for one")
	flags.BoolVar(&c.images.NodeLabels, "node-labels", false,
		"tell agents of the labels of their nodes, for which the operator needs the right to read Nodes; without it spec.faultDomain and attributesFromNodeLabels have no effect on agents")
	flags.StringVar(&c.logLevel, "log-level", "info", "debug, info, warn or error")
	if err := flags.Parse(args); err != nil {
		return config{}, err
	}
	if err := errors.Join(c.validate(flags.Args())...); err != nil {
		fmt.Fprintln(out, err)
		return config{}, err
	}
	return c, nil
}

func (c config) validate(rest []string) []error {
	var errs []error
	if len(rest) > 0 {
		errs = append(errs, fmt.Errorf("operator takes flags only, not %q", rest))
	}
	if c.images.MasterImage == "" {
		errs = append(errs, errors.New("--masterd-image is required"))
	}
	if c.images.AgentImage == "" {
		errs = append(errs, errors.New("--agentd-image is required"))
	}
	if c.workers < 1 {
		errs = append(errs, errors.New("--workers: at least 1"))
	}
	if c.poll < time.Second {
		errs = append(errs, errors.New("--poll-interval: at least 1s; masters limit how often their metrics are read"))
	}
	if c.account != "" && strings.Count(c.account, "/") != 1 {
		errs = append(errs, errors.New("--account: write namespace/name"))
	}
	if c.pollTimeout <= 0 {
		errs = append(errs, errors.New("--poll-timeout: more than 0"))
	}
	return errs
}
