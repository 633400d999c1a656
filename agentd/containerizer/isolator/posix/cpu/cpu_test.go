package cpu

import (
	"os"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func TestUsage(t *testing.T) {
	for end := time.Now().Add(50 * time.Millisecond); time.Now().Before(end); {
	}
	var s mesos.ResourceStatistics
	if err := New().Usage(&isolator.Container{Stage: os.Getpid()}, &s); err != nil {
		t.Fatal(err)
	}
	if s.CpusUserTimeSecs == nil || s.CpusSystemTimeSecs == nil || s.GetCpusUserTimeSecs()+s.GetCpusSystemTimeSecs() < 0.01 {
		t.Errorf("%v", &s)
	}
}
