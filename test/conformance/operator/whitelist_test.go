package operator

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// TestWhitelist offers agents once their hosts are in the file.
func TestWhitelist(t *testing.T) {
	path := filepath.Join(t.TempDir(), "whitelist")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("elsewhere\n")
	master := testbed.StartMaster(t, "--registry=in_memory", "--whitelist="+path)
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
	testbed.StartAgent(t, master.Address, testbed.Posix)
	awaitAgents(t, master, 1)
	time.Sleep(time.Second) // five allocations
	for _, e := range f.Events() {
		if e.At("type").Text() == "OFFERS" {
			t.Fatalf("an offer of a host that is not in the whitelist: %v", e)
		}
	}
	write("elsewhere\nlocalhost\n")
	f.Offer()
}
