package bench

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

func TestMain(m *testing.M) {
	if playRole() {
		return
	}
	testbed.Main(m)
}

// How many tasks each benchmark runs: enough for a p99, and the numbers that
// users of one agent ask about.
const (
	latencyTasks = 200
	manyTasks    = 1000
)

// rig is a cluster of one agent with room for everything, and its framework.
type rig struct {
	*testbed.Framework
	b     *testing.B
	read  int // events seen
	offer testbed.Value
}

func newRig(b *testing.B) *rig {
	b.Helper()
	// A task at a time takes an offer each; the default of a second between
	// allocations would be all that is measured.
	master := testbed.StartMaster(b, "--allocation_interval=10ms")
	testbed.StartAgent(b, master.Address, testbed.Posix, "--resources=cpus:1000;mem:1000000;disk:1000000")
	return &rig{Framework: testbed.Subscribe(b, master, testbed.FrameworkOptions{}), b: b}
}

// task uses little, so that a thousand fit.
func (r *rig) task(id string) testbed.Object {
	task := testbed.Task(r.offer, id, "/bin/true")
	task["resources"] = testbed.List{testbed.Scalar("cpus", 0.1), testbed.Scalar("mem", 32)}
	return task
}

// step reads events, acknowledges updates and remembers the last offer. It
// returns what happened to tasks.
func (r *rig) step() (updates []testbed.Arrival) {
	for _, arrival := range r.After(r.read) {
		r.read++
		switch arrival.Event.At("type").Text() {
		case "OFFERS":
			r.offer = arrival.Event.At("offers", "offers", 0)
		case "UPDATE":
			status := arrival.Event.At("update", "status")
			if status.At("uuid").Exists() { // else the master made it up
				r.Acknowledge(status)
			}
			updates = append(updates, testbed.Arrival{Event: status, At: arrival.At})
		}
	}
	return updates
}

// nextOffer waits for an offer. Updates on the way are acknowledged.
func (r *rig) nextOffer() {
	for !r.offer.Exists() {
		r.step()
	}
}

// launch accepts the offer for tasks.
func (r *rig) launch(tasks ...testbed.Object) (at time.Time) {
	offer := r.offer
	r.offer = testbed.Value{}
	at = time.Now()
	r.Accept(offer, testbed.Launch(tasks...))
	return at
}

// finish waits until n tasks have finished and returns when each began to run.
func (r *rig) finish(n int) (running map[string]time.Time) {
	running = map[string]time.Time{}
	for finished := 0; finished < n; {
		for _, update := range r.step() {
			id := update.Event.At("task_id", "value").Text()
			switch state := update.Event.At("state").Text(); state {
			case "TASK_RUNNING":
				running[id] = update.At
			case "TASK_FINISHED":
				finished++
			case "TASK_STARTING":
			default:
				r.b.Fatalf("task %s: %v", id, update.Event)
			}
		}
	}
	return running
}

// BenchmarkAcceptToRunning is the time from a framework's ACCEPT until it has
// TASK_RUNNING, which comes after it has acknowledged TASK_STARTING.
func BenchmarkAcceptToRunning(b *testing.B) {
	r := newRig(b)
	var latencies []time.Duration
	for b.Loop() {
		for range latencyTasks {
			id := fmt.Sprintf("latency-%d", len(latencies))
			r.nextOffer()
			accepted := r.launch(r.task(id))
			latencies = append(latencies, r.finish(1)[id].Sub(accepted))
		}
	}
	slices.Sort(latencies)
	report(b, "p50-ms", latencies[len(latencies)/2])
	report(b, "p99-ms", latencies[len(latencies)*99/100])
	report(b, "max-ms", latencies[len(latencies)-1])
}

// BenchmarkSequential runs one task after the other to its end.
func BenchmarkSequential(b *testing.B) {
	r := newRig(b)
	n := 0
	begin := time.Now()
	for b.Loop() {
		for range manyTasks {
			r.nextOffer()
			r.launch(r.task(fmt.Sprintf("sequential-%d", n)))
			r.finish(1)
			n++
		}
	}
	rate(b, n, begin)
}

// BenchmarkParallel launches all tasks with one ACCEPT.
func BenchmarkParallel(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("a thousand containers need root")
	}
	r := newRig(b)
	n := 0
	begin := time.Now()
	for b.Loop() {
		r.nextOffer()
		tasks := make([]testbed.Object, manyTasks)
		for i := range tasks {
			tasks[i] = r.task(fmt.Sprintf("parallel-%d", n))
			n++
		}
		r.launch(tasks...)
		r.finish(manyTasks)
	}
	rate(b, n, begin)
}

func report(b *testing.B, unit string, d time.Duration) {
	b.ReportMetric(float64(d)/float64(time.Millisecond), unit)
}

func rate(b *testing.B, tasks int, begin time.Time) {
	b.ReportMetric(float64(tasks)/time.Since(begin).Seconds(), "tasks/s")
}
