package provider

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// with is a copy of a resource with other members.
func with(resource any, changes object) object {
	out := maps.Clone(resource.(object))
	maps.Copy(out, changes)
	return out
}

func reservation(role string) list {
	return list{object{"type": "DYNAMIC", "role": role}}
}

// A framework makes a mounted disk of a raw one, reserves it, puts a volume on
// it and a task that writes there; then all of that is undone.
func TestDisk(t *testing.T) {
	for _, encoding := range encodings {
		t.Run(string(encoding), func(t *testing.T) {
			master := testbed.StartMaster(t, "--registry=in_memory")
			agent := testbed.StartAgent(t, master.Address, testbed.Posix)
			p := newProvider(t, agent, encoding)
			p.state(list{p.raw()})
			f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Encoding: encoding, Info: frameworkInfo})
			defer f.Call("TEARDOWN", nil)
			root := t.TempDir()

			p.create(f, root)
			p.useVolume(f, root)
			content, err := os.ReadFile(filepath.Join(root, "greeting"))
			if err != nil || string(content) != "hello\n" {
				t.Errorf("the disk has %q, %v", content, err)
			}
			p.undo(f)
			for name, want := range map[string]float64{
				"resource_provider_manager/subscribed": 1, "resource_provider_manager/events/subscribe": 1,
				"resource_providers/" + p.kind() + "/operations/create_disk/finished": 1,
				"resource_providers/" + p.kind() + "/operations/create_disk/pending":  0,
				"resource_providers/" + p.kind() + "/operations/reserve/finished":     1,
			} {
				if got := agent.Get("/metrics/snapshot").At(name); !got.Exists() || got.Number() != want {
					t.Errorf("%s is %v, want %v", name, got, want)
				}
			}
			if left := agent.Ask(object{"type": "GET_OPERATIONS"}).At("get_operations", "operations").List(); len(left) > 0 {
				t.Errorf("operations are left: %v", left)
			}
		})
	}
}

func (p *provider) kind() string {
	return p.info()["type"].(string) + "." + p.info()["name"].(string)
}

// create turns the raw disk into a mounted one.
func (p *provider) create(f *testbed.Framework, root string) {
	p.t.Helper()
	offer, disk := p.offered(f, "RAW")
	f.Accept(offer, named("create", "CREATE_DISK", "create_disk", object{"source": disk.Raw(), "target_type": "MOUNT"}))
	operation := p.operation("CREATE_DISK")
	pending := p.agent.Ask(object{"type": "GET_OPERATIONS"}).At("get_operations", "operations")
	if pending.At(0, "latest_status", "state").Text() != "OPERATION_PENDING" {
		p.t.Errorf("the agent's operations are %v", pending)
	}
	status := p.report(operation, "OPERATION_FINISHED", with(p.mounted(root), object{
		"allocation_info": operation.At("info", "create_disk", "source", "allocation_info").Raw(),
	}))
	p.outcome(f, "create", "OPERATION_FINISHED")
	p.acknowledged(status)
}

// useVolume reserves the disk, makes a volume of it, and runs a task there.
func (p *provider) useVolume(f *testbed.Framework, root string) {
	p.t.Helper()
	offer, disk := p.offered(f, "MOUNT")
	reserved := with(disk.Raw(), object{"reservations": reservation("web")})
	volume := with(reserved, object{"disk": object{
		"source": disk.At("disk", "source").Raw(), "persistence": object{"id": "v1"},
		"volume": object{"container_path": "data", "mode": "RW"},
	}})
	writer := testbed.Task(offer, "writer", "echo hello > data/greeting")
	writer["resources"] = list{testbed.Scalar("cpus", 0.1), testbed.Scalar("mem", 32), volume}
	f.Accept(offer,
		named("reserve", "RESERVE", "reserve", object{"resources": list{reserved}}),
		named("volume", "CREATE", "create", object{"volumes": list{volume}}),
		testbed.Launch(writer))
	for _, o := range []struct{ kind, id string }{{"RESERVE", "reserve"}, {"CREATE", "volume"}} {
		status := p.report(p.operation(o.kind), "OPERATION_FINISHED")
		p.outcome(f, o.id, "OPERATION_FINISHED")
		p.acknowledged(status)
	}
	for range 2 { // for the container, and for the task once its executor is there
		published := p.publish("OK").At("resources")
		if got := p.diskIn(published).At("disk", "source", "mount", "root").Text(); got != root {
			p.t.Errorf("published is %v, want the disk at %s", published, root)
		}
	}
	f.Follow("writer", "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
}

// undo makes a raw disk of it again.
func (p *provider) undo(f *testbed.Framework) {
	p.t.Helper()
	offer, volume := p.offered(f, "MOUNT")
	reserved := with(volume.Raw(), object{"disk": object{"source": volume.At("disk", "source").Raw()}})
	plain := maps.Clone(reserved)
	delete(plain, "reservations")
	f.Accept(offer,
		named("destroy", "DESTROY", "destroy", object{"volumes": list{volume.Raw()}}),
		named("unreserve", "UNRESERVE", "unreserve", object{"resources": list{reserved}}),
		named("disk", "DESTROY_DISK", "destroy_disk", object{"source": plain}))
	for _, o := range []struct{ kind, id string }{
		{"DESTROY", "destroy"}, {"UNRESERVE", "unreserve"}, {"DESTROY_DISK", "disk"},
	} {
		operation := p.operation(o.kind)
		var converted []any
		if o.kind == "DESTROY_DISK" {
			converted = append(converted, with(p.raw(), object{
				"allocation_info": operation.At("info", "destroy_disk", "source", "allocation_info").Raw(),
			}))
		}
		status := p.report(operation, "OPERATION_FINISHED", converted...)
		p.outcome(f, o.id, "OPERATION_FINISHED")
		p.acknowledged(status)
	}
	p.offered(f, "RAW")
}

// What can't be published fails the task; one whose provider goes meanwhile as well.
func TestPublicationFails(t *testing.T) {
	master := testbed.StartMaster(t, "--registry=in_memory")
	agent := testbed.StartAgent(t, master.Address, testbed.Posix)
	p := newProvider(t, agent, testbed.JSON)
	p.state(list{p.mounted(t.TempDir())})
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: frameworkInfo})
	defer f.Call("TEARDOWN", nil)
	for name, answer := range map[string]func(){
		"failed": func() { p.publish("FAILED") },
		"away": func() {
			p.Await("a publication", testbed.Type("PUBLISH_RESOURCES"))
			p.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			offer, disk := p.offered(f, "MOUNT")
			task := testbed.Task(offer, name, "true")
			task["resources"] = list{testbed.Scalar("cpus", 0.1), testbed.Scalar("mem", 32), disk.Raw()}
			f.Accept(offer, testbed.Launch(task))
			answer()
			status := f.Follow(name, "TASK_FAILED")
			if got := status.At("reason").Text(); got != "REASON_CONTAINER_LAUNCH_FAILED" {
				t.Errorf("the reason is %s", got)
			}
			if got := status.At("message").Text(); !strings.Contains(got, "Failed to publish resources") {
				t.Errorf("the message is %q", got)
			}
			if !p.Open() {
				awaitProviders(t, agent, 0)
				p.subscribe()
				p.state(list{p.mounted(t.TempDir())})
			}
		})
	}
}
