package mem

import (
	"os"
	"testing"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func TestUsage(t *testing.T) {
	var s mesos.ResourceStatistics
	if err := New().Usage(&isolator.Container{Stage: os.Getpid()}, &s); err != nil {
		t.Fatal(err)
	}
	if rss := s.GetMemRssBytes(); rss < 1<<20 || rss > 1<<30 {
		t.Errorf("%d bytes", rss)
	}
}
