package app

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-logr/logr"

	"github.com/mesos-operator/mesos-operator/agentd/engine"
	"github.com/mesos-operator/mesos-operator/agentd/oversubscription"
	"github.com/mesos-operator/mesos-operator/internal/flags"
	"github.com/mesos-operator/mesos-operator/internal/metrics/host"
)

// oversubscriptionFlags say what the agent lends, and who takes it back.
type oversubscriptionFlags struct {
	estimator, controller *string
	interval, correction  time.Duration
}

func (f *oversubscriptionFlags) define(s *flags.Set) {
	s.OptionalString(&f.estimator, "resource_estimator", oversubscription.FixedName+
		", which lends the resources in its parameter \"resources\" of --modules. Default: nothing is lent.")
	s.OptionalString(&f.controller, "qos_controller", oversubscription.LoadName+
		", which ends executors with revocable resources once the load is over its parameters \"load_threshold_5min\" and "+
		"\"load_threshold_15min\" of --modules. Default: none is ended.")
	s.Duration(&f.interval, "oversubscribed_resources_interval", 15*time.Second, "How often to estimate what can be lent.")
	s.Duration(&f.correction, "qos_correction_interval_min", 0, "Least time between two looks at what should be ended.")
}

// open makes the estimator and the controller.
func (f *oversubscriptionFlags) open(m modules, log logr.Logger) (engine.Oversubscription, error) {
	out := engine.Oversubscription{EstimationInterval: f.interval, CorrectionInterval: f.correction}
	if f.estimator != nil {
		if *f.estimator != oversubscription.FixedName {
			return out, fmt.Errorf("--resource_estimator=%s: only %s is built in", *f.estimator, oversubscription.FixedName)
		}
		fixed, err := fixedEstimator(m[oversubscription.FixedName])
		if err != nil {
			return out, fmt.Errorf("--modules: %s: %w", oversubscription.FixedName, err)
		}
		out.Estimator = fixed
	}
	if f.controller != nil {
		if *f.controller != oversubscription.LoadName {
			return out, fmt.Errorf("--qos_controller=%s: only %s is built in", *f.controller, oversubscription.LoadName)
		}
		load, err := loadController(m[oversubscription.LoadName])
		if err != nil {
			return out, fmt.Errorf("--modules: %s: %w", oversubscription.LoadName, err)
		}
		load.Log = log
		out.Controller = load
	}
	return out, nil
}

func fixedEstimator(parameters []parameter) (oversubscription.Fixed, error) {
	for _, p := range parameters {
		if p.Key == "resources" {
			return oversubscription.NewFixed(p.Value)
		}
	}
	return oversubscription.Fixed{}, errors.New("no parameter \"resources\"")
}

func loadController(parameters []parameter) (oversubscription.Load, error) {
	out := oversubscription.Load{Averages: loadAverages}
	for _, p := range parameters {
		to := map[string]**float64{"load_threshold_5min": &out.Five, "load_threshold_15min": &out.Fifteen}[p.Key]
		if to == nil {
			continue
		}
		threshold, err := strconv.ParseFloat(p.Value, 64)
		if err != nil {
			return out, fmt.Errorf("%s: %q is no number", p.Key, p.Value)
		}
		*to = &threshold
	}
	return out, out.Validate()
}

// loadAverages are those of the machine over 5 and 15 minutes.
func loadAverages() (five, fifteen float64, err error) {
	stats := host.Stats()
	five, ok5 := stats["load_5min"]
	fifteen, ok15 := stats["load_15min"]
	if !ok5 || !ok15 {
		return 0, 0, errors.New("the machine tells no load averages")
	}
	return five, fifteen, nil
}
