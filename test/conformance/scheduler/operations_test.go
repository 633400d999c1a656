package scheduler

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// reserved is a resource that a framework reserves for its role.
func reserved(r object) object {
	out := object{"reservations": list{object{"type": "DYNAMIC", "role": "web"}}}
	for name, value := range r {
		out[name] = value
	}
	return out
}

// volume is a persistent volume on a disk.
func volume(disk object, id string) object {
	out := object{}
	for name, value := range disk {
		out[name] = value
	}
	info := object{"persistence": object{"id": id}, "volume": object{"container_path": "data", "mode": "RW"}}
	if known, ok := disk["disk"].(object); ok {
		info["source"] = known["source"]
	}
	out["disk"] = info
	return out
}

func operation(id, kind, member string, body object) object {
	return object{"type": kind, "id": object{"value": id}, member: body}
}

// outcome takes the status of an operation, and acknowledges it.
func outcome(t *testing.T, f *testbed.Framework, id, state string) testbed.Value {
	t.Helper()
	status := f.Await(state+" of operation "+id, func(v testbed.Value) bool {
		return v.At("update_operation_status", "status", "operation_id", "value").Text() == id
	}).At("update_operation_status", "status")
	if got := status.At("state").Text(); got != state {
		t.Fatalf("operation %s: got %s, want %s: %v", id, got, state, status)
	}
	if status.At("uuid").Exists() {
		f.Call("ACKNOWLEDGE_OPERATION_STATUS", object{
			"agent_id": status.At("agent_id").Raw(), "operation_id": object{"value": id},
			"uuid": status.At("uuid", "value").Raw(),
		})
	}
	return status
}

// offerOf takes an offer that has the volume.
func offerOf(f *testbed.Framework, id string) testbed.Value {
	return f.Await("an offer of volume "+id, func(v testbed.Value) bool {
		for _, r := range v.At("offers", "offers", 0, "resources").List() {
			if r.At("disk", "persistence", "id").Text() == id {
				return true
			}
		}
		return false
	}).At("offers", "offers", 0)
}

var operationInfo = object{
	"roles": list{"web"}, "checkpoint": true, "capabilities": list{
		object{"type": "MULTI_ROLE"}, object{"type": "PARTITION_AWARE"}, object{"type": "RESERVATION_REFINEMENT"},
	},
}

// A framework reserves, makes a volume and launches a task on it in one call;
// what the task wrote a later one reads, though agent and master were killed in
// between; then nothing is left of it.
func TestVolumes(t *testing.T) {
	for _, kind := range []string{"root", "PATH", "MOUNT"} {
		for _, encoding := range encodings {
			t.Run(kind+"/"+string(encoding), func(t *testing.T) {
				disk, flags := diskOf(t, kind)
				master := testbed.StartMaster(t)
				agent := testbed.StartAgent(t, master.Address, testbed.Posix, flags...)
				f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Encoding: encoding, Info: operationInfo})
				defer f.Call("TEARDOWN", nil)
				v := volume(reserved(disk), "v1")

				offer := f.Offer()
				writer := testbed.Task(offer, "writer", "echo hello > data/greeting")
				writer["resources"] = list{reserved(testbed.Scalar("cpus", 0.1)), testbed.Scalar("mem", 32), v}
				f.Accept(offer,
					operation("reserve", "RESERVE", "reserve", object{"resources": list{reserved(testbed.Scalar("cpus", 0.5)), reserved(disk)}}),
					operation("create", "CREATE", "create", object{"volumes": list{v}}),
					testbed.Launch(writer))
				outcome(t, f, "reserve", "OPERATION_FINISHED")
				outcome(t, f, "create", "OPERATION_FINISHED")
				f.Follow("writer", "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")

				agent.Kill()
				master.Kill()
				master.Start()
				f.Resubscribe()
				agent.Start()
				offer = offerOf(f, "v1")
				reader := testbed.Task(offer, "reader", "cat data/greeting")
				reader["resources"] = list{testbed.Scalar("cpus", 0.1), testbed.Scalar("mem", 32), v}
				f.Accept(offer, testbed.Launch(reader))
				f.Follow("reader", "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
				if got := agent.ReadFile(filepath.Join(agent.Sandbox("reader"), "stdout")); got != "hello\n" {
					t.Errorf("the second task reads %q", got)
				}

				f.Accept(offerOf(f, "v1"),
					operation("destroy", "DESTROY", "destroy", object{"volumes": list{v}}),
					operation("unreserve", "UNRESERVE", "unreserve", object{"resources": list{reserved(disk)}}))
				outcome(t, f, "destroy", "OPERATION_FINISHED")
				outcome(t, f, "unreserve", "OPERATION_FINISHED")
				if left := greetings(t, agent.Dir); len(left) > 0 {
					t.Errorf("the data of the volume is still there: %v", left)
				}
				reservations := master.Get("/slaves").At("slaves", 0, "reserved_resources", "web")
				if reservations.At("disk").Number() != 0 || reservations.At("cpus").Number() != 0.5 {
					t.Errorf("half a cpu is still reserved, not %v", reservations)
				}
			})
		}
	}
}

// diskOf is a disk of a kind, and the flags of an agent that has it.
func diskOf(t *testing.T, kind string) (disk object, flags []string) {
	t.Helper()
	disk = testbed.Scalar("disk", 64)
	if kind == "root" {
		return disk, nil
	}
	root := t.TempDir()
	source := object{"type": kind, "path": object{"root": root}}
	if kind == "MOUNT" {
		source = object{"type": kind, "mount": object{"root": root}}
	}
	disk["disk"] = object{"source": source}
	return disk, []string{fmt.Sprintf(`--resources=[{"name":"cpus","type":"SCALAR","scalar":{"value":4}},`+
		`{"name":"mem","type":"SCALAR","scalar":{"value":1024}},`+
		`{"name":"disk","type":"SCALAR","scalar":{"value":64},"disk":{"source":{"type":%q,%q:{"root":%q}}}}]`,
		kind, map[string]string{"PATH": "path", "MOUNT": "mount"}[kind], root)}
}

// greetings are the files of that name below a directory.
func greetings(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if filepath.Base(path) == "greeting" {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// What can't be done is told by status, and takes nothing away; what is known of
// operations can be asked for.
func TestOperationFeedback(t *testing.T) {
	for _, encoding := range encodings {
		t.Run(string(encoding), func(t *testing.T) {
			master := testbed.StartMaster(t, "--registry=in_memory")
			testbed.StartAgent(t, master.Address, testbed.Posix)
			f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Encoding: encoding, Info: operationInfo})
			defer f.Call("TEARDOWN", nil)
			offer := f.Offer()
			f.Accept(offer,
				operation("much", "RESERVE", "reserve", object{"resources": list{reserved(testbed.Scalar("cpus", 400))}}),
				operation("static", "UNRESERVE", "unreserve", object{"resources": list{testbed.Scalar("cpus", 1)}}),
				operation("unreserved", "CREATE", "create", object{"volumes": list{volume(testbed.Scalar("disk", 1), "v")}}),
				operation("good", "RESERVE", "reserve", object{"resources": list{reserved(testbed.Scalar("cpus", 1))}}))
			for _, id := range []string{"much", "static", "unreserved"} {
				if status := outcome(t, f, id, "OPERATION_ERROR"); status.At("uuid").Exists() || status.At("message").Text() == "" {
					t.Errorf("%s: %v", id, status)
				}
			}
			// Not acknowledged, so it stays known and is sent again.
			first := f.Await("the outcome", testbed.Type("UPDATE_OPERATION_STATUS")).At("update_operation_status", "status")
			f.Call("RECONCILE_OPERATIONS", object{"operations": list{
				object{"operation_id": object{"value": "good"}, "agent_id": offer.At("agent_id").Raw()},
				object{"operation_id": object{"value": "never"}, "agent_id": offer.At("agent_id").Raw()},
			}})
			outcome(t, f, "good", "OPERATION_FINISHED")
			outcome(t, f, "never", "OPERATION_UNKNOWN")
			operations := master.Ask(object{"type": "GET_OPERATIONS"}).At("get_operations", "operations")
			if len(operations.List()) != 1 || operations.At(0, "latest_status", "state").Text() != "OPERATION_FINISHED" {
				t.Errorf("GET_OPERATIONS: %v", operations)
			}
			again := f.Await("the outcome again", testbed.Type("UPDATE_OPERATION_STATUS")).At("update_operation_status", "status")
			if got, want := again.At("uuid", "value").Text(), first.At("uuid", "value").Text(); got != want || got == "" {
				t.Errorf("the outcome has UUID %q the second time, %q the first", got, want)
			}
			f.Call("ACKNOWLEDGE_OPERATION_STATUS", object{
				"agent_id": again.At("agent_id").Raw(), "operation_id": object{"value": "good"}, "uuid": again.At("uuid", "value").Raw(),
			})
			testbed.Eventually(t, "the operation is forgotten", func() error {
				if left := master.Ask(object{"type": "GET_OPERATIONS"}).At("get_operations", "operations").List(); len(left) > 0 {
					return fmt.Errorf("operations: %v", left)
				}
				return nil
			})
			metrics := master.Get("/metrics/snapshot")
			for name, want := range map[string]float64{
				"master/operations/finished": 1, "master/operations/error": 3, "master/operations/reserve/finished": 1,
				"master/operations/pending": 0, "master/operations/total": 4,
			} {
				if got := metrics.At(name).Number(); got != want {
					t.Errorf("%s is %v, want %v", name, got, want)
				}
			}
		})
	}
}

// Volumes change their size with their data in them.
func TestResizedVolume(t *testing.T) {
	master := testbed.StartMaster(t, "--registry=in_memory")
	testbed.StartAgent(t, master.Address, testbed.Posix)
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: operationInfo})
	defer f.Call("TEARDOWN", nil)
	disk := func(size float64) object { return reserved(testbed.Scalar("disk", size)) }
	f.Accept(f.Offer(),
		operation("reserve", "RESERVE", "reserve", object{"resources": list{disk(64)}}),
		operation("create", "CREATE", "create", object{"volumes": list{volume(disk(32), "v")}}))
	outcome(t, f, "reserve", "OPERATION_FINISHED")
	outcome(t, f, "create", "OPERATION_FINISHED")
	f.Accept(offerOf(f, "v"), operation("grow", "GROW_VOLUME", "grow_volume",
		object{"volume": volume(disk(32), "v"), "addition": disk(16)}))
	outcome(t, f, "grow", "OPERATION_FINISHED")
	f.Accept(offerOf(f, "v"), operation("shrink", "SHRINK_VOLUME", "shrink_volume",
		object{"volume": volume(disk(48), "v"), "subtract": object{"value": 40.0}}))
	outcome(t, f, "shrink", "OPERATION_FINISHED")
	sizes := map[float64]bool{}
	for _, r := range offerOf(f, "v").At("resources").List() {
		if r.At("name").Text() == "disk" && len(r.At("reservations").List()) > 0 {
			sizes[r.At("scalar", "value").Number()] = true
		}
	}
	if len(sizes) != 2 || !sizes[8] || !sizes[56] {
		t.Errorf("reserved disks are %v, want the volume of 8 and 56 beside it", sizes)
	}
}
