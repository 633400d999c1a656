package cpu

import (
	"os"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// The test spends time until that is seen, which depends on what else the
// machine does.
func TestUsage(t *testing.T) {
	var s mesos.ResourceStatistics
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		if err := New().Usage(&isolator.Container{Stage: os.Getpid()}, &s); err != nil {
			t.Fatal(err)
		}
		if s.CpusUserTimeSecs != nil && s.CpusSystemTimeSecs != nil && s.GetCpusUserTimeSecs()+s.GetCpusSystemTimeSecs() > 0.01 {
			return
		}
	}
	t.Errorf("%v", &s)
}
