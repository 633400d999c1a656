package agent

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// `mesosctl task run` goes on when the master is killed and another life of it begins.
func TestTaskRunOutlivesMaster(t *testing.T) {
	master := testbed.StartMaster(t)
	testbed.StartAgent(t, master.Address, testbed.Posix)
	dir := t.TempDir()
	runs, goOn := filepath.Join(dir, "runs"), filepath.Join(dir, "go")
	cmd := console{t, master}.command("run", "--name=outlives", "--shell", "--",
		"echo begun; touch "+runs+"; while ! test -e "+goOn+"; do sleep 0.05; done; echo done")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	testbed.Eventually(t, "the task runs", func() error {
		_, err := os.Stat(runs)
		return err
	})
	master.Kill()
	master.Start()
	touch(t, goOn)
	err := <-ended
	if err != nil || out.String() != "begun\ndone\n" {
		t.Errorf("ended with %v, printed %q, told:\n%s", err, out.String(), errs.String())
	}
	if n := bytes.Count(errs.Bytes(), []byte("subscribed again")); n != 1 {
		t.Errorf("subscribed %d times again:\n%s", n, errs.String())
	}
}
