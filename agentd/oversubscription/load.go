package oversubscription

import (
	"context"
	"errors"

	"github.com/go-logr/logr"
)

// LoadName is the name of Mesos's module that [Load] is.
const LoadName = "org_apache_mesos_LoadQoSController"

// Load ends every executor that has revocable resources once the machine's load
// is over a threshold.
type Load struct {
	// Five and Fifteen are the thresholds of the averages over so many minutes;
	// nil for none.
	Five, Fifteen *float64
	// Averages reads both.
	Averages func() (five, fifteen float64, err error)
	Log      logr.Logger
}

// Validate reports what is missing.
func (l Load) Validate() error {
	if l.Five == nil && l.Fifteen == nil {
		return errors.New("no load thresholds: set load_threshold_5min, load_threshold_15min or both")
	}
	return nil
}

// Corrections kill all executors with revocable resources, or none.
func (l Load) Corrections(_ context.Context, u Usage) ([]Kill, error) {
	five, fifteen, err := l.Averages()
	if err != nil || !exceeds(five, l.Five) && !exceeds(fifteen, l.Fifteen) {
		return nil, err
	}
	var out []Kill
	for _, x := range u.Executors {
		if !x.Allocated.Revocable().IsEmpty() {
			out = append(out, Kill{Framework: x.Framework, Executor: x.ID, Container: x.Container})
		}
	}
	if len(out) > 0 {
		l.Log.Info("load is over its threshold: revocable executors have to go",
			"load5min", five, "load15min", fifteen, "executors", len(out))
	}
	return out, nil
}

func exceeds(load float64, threshold *float64) bool { return threshold != nil && load > *threshold }
