package agent

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/testkit/images"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// imageAgent starts a master, an agent that has images, and a registry without TLS.
func imageAgent(t *testing.T, flags ...string) (*testbed.Master, *testbed.Agent, *images.Registry) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("images need root")
	}
	master, registry := testbed.StartMaster(t), images.NewRegistry(t)
	a := testbed.NewAgent(t, master.Address, testbed.OCI, append([]string{
		"--isolation=filesystem/linux,docker/runtime,cgroups/cpu,cgroups/mem,namespaces/pid", "--image_providers=DOCKER",
	}, flags...)...)
	a.SetFlags("--docker_store_dir=" + filepath.Join(a.Dir, "store"))
	a.Start()
	t.Cleanup(func() { noRootsLeft(t, a) })
	return master, a, registry
}

// noRootsLeft looks for root file systems of containers that are gone.
func noRootsLeft(t *testing.T, a *testbed.Agent) {
	t.Helper()
	testbed.Eventually(t, "root file systems to be removed", func() error {
		entries, err := os.ReadDir(filepath.Join(a.WorkDir, "provisioner", "containers"))
		if err == nil && len(entries) > 0 {
			return fmt.Errorf("there is %s", entries[0].Name())
		}
		return nil
	})
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), a.WorkDir) {
		t.Errorf("mounts are left, error %v", err)
	}
}

// in is a ContainerInfo with an image.
func in(ref string, volumes ...any) testbed.Object {
	out := testbed.Object{"type": "MESOS", "mesos": testbed.Object{"image": testbed.Object{"type": "DOCKER", "docker": testbed.Object{"name": ref}}}}
	if len(volumes) > 0 {
		out["volumes"] = volumes
	}
	return out
}

func tool(t *testing.T, registry *images.Registry, name string, config v1.Config) string {
	t.Helper()
	return registry.Push(t, name, images.Of(t, config, images.Shell(t), images.Layer(t, images.File{Name: "mark", Contents: name + "\n"})))
}

// TestImageTask runs command tasks in images: with commands of their own, and with those
// of the images.
func TestImageTask(t *testing.T) {
	master, a, registry := imageAgent(t)
	ref := tool(t, registry, "tool", v1.Config{
		Env: []string{"FROM=image", "MINE=image"}, WorkingDir: "/tmp", Entrypoint: []string{"/bin/sh", "-c"}, Cmd: []string{`echo "default $FROM"`},
	})
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	defer f.Call("TEARDOWN", nil)
	for name, tt := range map[string]struct {
		command testbed.Object
		want    string
	}{
		"shell": {testbed.Object{"shell": true, "value": `echo "$(cat /mark) $(pwd) $MESOS_SANDBOX $FROM $MINE"; ls $MESOS_SANDBOX/stdout`,
			"environment": testbed.Object{"variables": testbed.List{testbed.Object{"name": "MINE", "value": "task"}}}},
			"tool /tmp /mnt/mesos/sandbox image task\n/mnt/mesos/sandbox/stdout\n"},
		"program":   {testbed.Object{"shell": false, "value": "cat", "arguments": testbed.List{"cat", "/mark"}}, "tool\n"},
		"default":   {testbed.Object{"shell": false}, "default image\n"},
		"arguments": {testbed.Object{"shell": false, "arguments": testbed.List{"echo theirs"}}, "theirs\n"},
	} {
		t.Run(name, func(t *testing.T) {
			offer := f.Offer()
			task := testbed.Task(offer, name, "")
			task["command"], task["container"] = tt.command, in(ref)
			f.Accept(offer, testbed.Launch(task))
			f.Follow(name, "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
			if out := a.ReadFile(filepath.Join(a.Sandbox(name), "stdout")); out != tt.want {
				t.Errorf("stdout %q, want %q; stderr %q", out, tt.want, a.ReadFile(filepath.Join(a.Sandbox(name), "stderr")))
			}
		})
	}
}

// TestImageTaskChecked checks tasks in images, of both executors, in every way there is: by
// commands that only the image has, and over the network.
func TestImageTaskChecked(t *testing.T) {
	master, _, registry := imageAgent(t)
	ref, s := tool(t, registry, "tool", v1.Config{WorkingDir: "/tmp"}), serve(t)
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	defer f.Call("TEARDOWN", nil)
	checks := map[string]testbed.Object{
		"command":        {"type": "COMMAND", "command": testbed.Object{"value": `grep -q tool /mark && [ "$MINE" = task ] && ls $MESOS_SANDBOX/stdout`}},
		"without-shell":  {"type": "COMMAND", "command": testbed.Object{"shell": false, "value": "cat", "arguments": testbed.List{"cat", "/mark"}}},
		"http":           {"type": "HTTP", "http": testbed.Object{"port": s.http, "path": "/health"}},
		"https":          {"type": "HTTP", "http": testbed.Object{"port": s.https, "scheme": "https", "path": "/health"}},
		"tcp":            {"type": "TCP", "tcp": testbed.Object{"port": s.tcp}},
		"directory":      {"type": "COMMAND", "command": testbed.Object{"value": `[ "$(pwd)" = /tmp ]`}},
		"files-of-tasks": {"type": "COMMAND", "command": testbed.Object{"value": "test -e /made-by-task"}},
	}
	checked := func(offer testbed.Value, id, kind string) testbed.Object {
		task := testbed.Task(offer, id, "touch /made-by-task; sleep 1000")
		task["command"].(testbed.Object)["environment"] = testbed.Object{"variables": testbed.List{testbed.Object{"name": "MINE", "value": "task"}}}
		task["resources"] = testbed.List{testbed.Scalar("cpus", 0.05), testbed.Scalar("mem", 32)}
		task["container"] = in(ref)
		check := often(checks[kind])
		check["grace_period_seconds"], check["consecutive_failures"] = 1000, 1000
		task["health_check"] = check
		return task
	}
	offer := f.Offer()
	var single []testbed.Object
	group, want := testbed.List{}, map[string]bool{}
	for kind := range checks {
		single = append(single, checked(offer, kind, kind))
		group = append(group, checked(offer, "group-"+kind, kind))
		want[kind], want["group-"+kind] = true, true
	}
	f.Accept(offer, testbed.Launch(single...), testbed.Object{"type": "LAUNCH_GROUP", "launch_group": testbed.Object{
		"executor": newGroup(f, "e").executor, "task_group": testbed.Object{"tasks": group}}})
	for len(want) > 0 {
		status := f.Await(fmt.Sprintf("the health of %v", want), testbed.Type("UPDATE")).At("update", "status")
		f.Acknowledge(status)
		id := status.At("task_id", "value").Text()
		switch state := status.At("state").Text(); {
		case state == "TASK_RUNNING" && isHealthy(status):
			delete(want, id)
		case state != "TASK_STARTING" && state != "TASK_RUNNING":
			t.Fatalf("task %s: %v", id, status)
		}
	}
	for _, id := range []string{"command", "group-command"} {
		f.Call("KILL", testbed.Object{"task_id": testbed.Object{"value": id}, "agent_id": offer.At("agent_id").Raw()})
		f.Follow(id, "TASK_KILLED")
	}
}

// TestImageFails tells tasks whose images can't be had.
func TestImageFails(t *testing.T) {
	master, _, registry := imageAgent(t)
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
	defer f.Call("TEARDOWN", nil)
	for name, container := range map[string]testbed.Object{
		"nothing": in(registry.Host + "/nothing"),
		"appc":    {"type": "MESOS", "mesos": testbed.Object{"image": testbed.Object{"type": "APPC", "appc": testbed.Object{"name": "x"}}}},
	} {
		offer := f.Offer()
		task := testbed.Task(offer, name, "true")
		task["container"] = container
		f.Accept(offer, testbed.Launch(task))
		failed := f.Follow(name, "TASK_FAILED")
		if reason := failed.At("reason").Text(); reason != "REASON_CONTAINER_LAUNCH_FAILED" {
			t.Errorf("%s: %v", name, failed)
		}
		if message := failed.At("message").Text(); !strings.Contains(message, "image") {
			t.Errorf("%s: message %q", name, message)
		}
	}
}

// TestImageGroup has tasks of a group in images of their own, one with a volume from another.
func TestImageGroup(t *testing.T) {
	master, a, registry := imageAgent(t)
	refs := map[string]string{"a": tool(t, registry, "a", v1.Config{}), "b": tool(t, registry, "b", v1.Config{WorkingDir: "/tmp"})}
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	defer f.Call("TEARDOWN", nil)
	g := newGroup(f, "e")
	g.launch(func(id string, task testbed.Object) {
		container := in(refs[id])
		if id == "b" {
			container["volumes"] = testbed.List{testbed.Object{"mode": "RO", "container_path": "other",
				"image": testbed.Object{"type": "DOCKER", "docker": testbed.Object{"name": refs["a"]}}}}
		}
		task["container"] = container
	}, "a", `cat /mark; sleep 0.3`, "b", `cat /mark $MESOS_SANDBOX/other/mark; pwd; sleep 0.3`)
	for _, task := range []string{"a", "b"} {
		f.Follow(task, "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
	}
	for task, want := range map[string]string{"a": "a\n", "b": "b\na\n/tmp\n"} {
		found, err := filepath.Glob(filepath.Join(a.WorkDir, "slaves/*/frameworks/*/executors/e/runs/*/tasks/"+task+"/stdout"))
		if err != nil || len(found) == 0 {
			t.Fatalf("no stdout of %s: %v", task, err)
		}
		if out := a.ReadFile(found[0]); out != want {
			t.Errorf("stdout of %s %q, want %q", task, out, want)
		}
	}
}

// TestImageOfKilledAgent kills an agent while a task runs in an image, whose files stay.
func TestImageOfKilledAgent(t *testing.T) {
	master, a, registry := imageAgent(t, "--executor_reregistration_timeout=5secs")
	ref := tool(t, registry, "tool", v1.Config{})
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	defer f.Call("TEARDOWN", nil)
	offer := f.Offer()
	task := testbed.Task(offer, "task", `while ! [ -e go ]; do sleep 0.05; done; cat /mark`)
	task["container"] = in(ref)
	f.Accept(offer, testbed.Launch(task))
	f.Follow("task", "TASK_STARTING", "TASK_RUNNING")
	sandbox := a.Sandbox("task")
	a.Kill()
	a.Start()
	testbed.Eventually(t, "images to be pruned", func() error {
		if answer := a.Operator(testbed.Object{"type": "PRUNE_IMAGES"}); answer.Status != 200 {
			return fmt.Errorf("answer %d %q", answer.Status, answer.Body)
		}
		return nil
	})
	if err := os.WriteFile(filepath.Join(sandbox, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f.FollowTo("task", "TASK_FINISHED")
	if out := a.ReadFile(filepath.Join(sandbox, "stdout")); out != "tool\n" {
		t.Errorf("stdout %q: its files are gone", out)
	}
}

// TestPruneImages prunes by the API: what runs stays, what is excluded by call or flag too.
func TestPruneImages(t *testing.T) {
	master, a, registry := imageAgent(t)
	byFlag := tool(t, registry, "flag", v1.Config{})
	a.Terminate()
	a.SetFlags(`--image_gc_config={"image_disk_headroom":0,"image_disk_watch_interval":{"nanoseconds":3600000000000},` +
		`"excluded_images":[{"type":"DOCKER","docker":{"name":"` + byFlag + `"}}]}`)
	a.Start()
	refs := map[string]string{"flag": byFlag}
	for _, name := range []string{"running", "call", "gone"} {
		refs[name] = tool(t, registry, name, v1.Config{})
	}
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	defer f.Call("TEARDOWN", nil)
	for name, ref := range refs {
		offer := f.Offer()
		task := testbed.Task(offer, name, map[bool]string{true: "sleep 1000", false: "true"}[name == "running"])
		task["container"] = in(ref)
		f.Accept(offer, testbed.Launch(task))
		f.Follow(name, "TASK_STARTING", "TASK_RUNNING")
		if name != "running" {
			f.Follow(name, "TASK_FINISHED")
		}
	}
	layers := func() int {
		entries, err := os.ReadDir(filepath.Join(a.Dir, "store", "layers"))
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	if n := layers(); n != 5 {
		t.Errorf("%d layers before, want that of all and one of each", n)
	}
	testbed.Eventually(t, "the image that nobody needs to be pruned", func() error { // its container may still be about to end
		answer := a.Operator(testbed.Object{"type": "PRUNE_IMAGES", "prune_images": testbed.Object{
			"excluded_images": testbed.List{testbed.Object{"type": "DOCKER", "docker": testbed.Object{"name": refs["call"]}}}}})
		if answer.Status != 200 || len(answer.Body) > 0 {
			t.Fatalf("answer %d %q", answer.Status, answer.Body)
		}
		if n := layers(); n != 4 {
			return fmt.Errorf("there are %d layers, want all but one", n)
		}
		return nil
	})
	pulled := a.Get("/metrics/snapshot").At("containerizer/mesos/provisioner/docker_store/image_pull_ms/count")
	if !pulled.Exists() {
		t.Error("pulls are not measured")
	}
}

// TestImageExecutor has an executor of the framework's in an image, with its tasks.
func TestImageExecutor(t *testing.T) {
	master, a, registry := imageAgent(t)
	program, err := os.ReadFile(testbed.Binary(t, "executord"))
	if err != nil {
		t.Fatal(err)
	}
	ref := registry.Push(t, "executor", images.Of(t, v1.Config{Env: []string{"FROM=image"}, Entrypoint: []string{"/opt/program", "executor"}},
		images.Shell(t), images.Layer(t, images.File{Name: "opt/program", Contents: string(program)})))
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	defer f.Call("TEARDOWN", nil)
	offer := f.Offer()
	task := testbed.Task(offer, "task", "")
	delete(task, "command")
	task["data"] = "eA=="
	task["executor"] = testbed.Object{
		"type": "CUSTOM", "executor_id": testbed.Object{"value": "task"}, "framework_id": testbed.Object{"value": f.ID},
		"command": testbed.Object{"shell": false}, "container": in(ref),
		"resources": testbed.List{testbed.Scalar("cpus", 0.1), testbed.Scalar("mem", 32)},
	}
	f.Accept(offer, testbed.Launch(task))
	f.Follow("task", "TASK_STARTING", "TASK_FAILED") // it has no command, of which it tells
	if out := a.ReadFile(filepath.Join(a.Sandbox("task"), "stderr")); !strings.Contains(out, "Starting task task") {
		t.Errorf("stderr %q", out)
	}
}

// TestImageNested launches nested and standalone containers in images by the agent's API.
func TestImageNested(t *testing.T) {
	master, a, registry := imageAgent(t)
	ref := tool(t, registry, "tool", v1.Config{Env: []string{"FROM=image"}, WorkingDir: "/tmp"})
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	defer f.Call("TEARDOWN", nil)
	c := &client{t, a, encodings[0]}
	root := executorOf(c, f, "task")
	image := &mesos.ContainerInfo{Type: mesos.ContainerInfo_MESOS.Enum(), Mesos: &mesos.ContainerInfo_MesosInfo{Image: &mesos.Image{
		Type: mesos.Image_DOCKER.Enum(), Docker: &mesos.Image_Docker{Name: &ref}}}}
	for _, id := range []*mesos.ContainerID{nested(root, "child"), {Value: new("alone")}} {
		call := launch(id, `echo "$(cat /mark) $FROM $(pwd)"; exit 3`)
		call.LaunchContainer.Container = image
		c.want(http.StatusOK, call)
		if got := c.want(http.StatusOK, await(id)).GetWaitContainer().GetExitStatus(); got != 3<<8 {
			t.Errorf("%s ended with %d", id.GetValue(), got)
		}
	}
	for _, sandbox := range []string{filepath.Join(a.Sandbox("task"), "containers/child"), filepath.Join(a.WorkDir, "containers/alone")} {
		if out := a.ReadFile(filepath.Join(sandbox, "stdout")); out != "tool image /tmp\n" {
			t.Errorf("stdout in %s: %q", sandbox, out)
		}
	}
	image.Mesos.Image.Docker.Name = new(registry.Host + "/nothing")
	call := launch(nested(root, "other"), "true")
	call.LaunchContainer.Container = image
	c.want(http.StatusBadRequest, call)
}

// TestLateVolumeInImage: an executor in an image sees the persistent volumes of tasks that it
// gets later, until these tasks are over.
func TestLateVolumeInImage(t *testing.T) {
	master, a, registry := imageAgent(t)
	ref := tool(t, registry, "tool", v1.Config{})
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{
		"checkpoint": true, "roles": testbed.List{"shop"},
	}})
	defer f.Call("TEARDOWN", nil)
	executor := testbed.Object{
		"executor_id": testbed.Object{"value": "driver"}, "framework_id": testbed.Object{"value": f.ID},
		"command": testbed.Object{"shell": true, "value": "sleep 1000"}, "container": in(ref),
	}
	of := func(offer testbed.Value, id string, more ...any) testbed.Object {
		task := testbed.Task(offer, id, "")
		delete(task, "command")
		task["executor"] = executor
		task["resources"] = append(testbed.List{testbed.Scalar("cpus", 0.1), testbed.Scalar("mem", 32)}, more...)
		return task
	}
	offer := f.Offer()
	f.Accept(offer, testbed.Launch(of(offer, "first")))
	d := newDriver(t, a, f)
	d.Receive(internal+"RunTaskMessage", &messages.RunTaskMessage{})
	pid := 0
	testbed.Eventually(t, "the executor runs", func() error {
		pid = int(a.Get("/containers").Find("driver", "executor_id").At("status", "executor_pid").Number())
		if pid == 0 {
			return errorf("it has no process")
		}
		return nil
	})
	inside := func(path string) string {
		return filepath.Join("/proc", fmt.Sprint(pid), "root", "mnt/mesos/sandbox", path)
	}

	volume := func(id, path, mode string) testbed.Object {
		out := testbed.Scalar("disk", 64)
		out["reservations"] = testbed.List{testbed.Object{"type": "DYNAMIC", "role": "shop"}}
		out["allocation_info"] = testbed.Object{"role": "shop"}
		out["disk"] = testbed.Object{
			"persistence": testbed.Object{"id": id}, "volume": testbed.Object{"container_path": path, "mode": mode},
		}
		return out
	}
	reserved := testbed.Scalar("disk", 64)
	reserved["reservations"] = testbed.List{testbed.Object{"type": "DYNAMIC", "role": "shop"}}
	reserved["allocation_info"] = testbed.Object{"role": "shop"}
	rw := volume("w", "data", "RW")
	offer = f.Offer()
	f.Accept(offer,
		testbed.Object{"type": "RESERVE", "reserve": testbed.Object{"resources": testbed.List{reserved}}},
		testbed.Object{"type": "CREATE", "create": testbed.Object{"volumes": testbed.List{rw}}},
		testbed.Launch(of(offer, "second", rw)))
	var second messages.RunTaskMessage
	d.Receive(internal+"RunTaskMessage", &second)
	enter := func(script string) ([]byte, error) {
		return exec.Command("nsenter", "--target", fmt.Sprint(pid), "--mount", "--root", "/bin/sh", "-c", script).CombinedOutput()
	}
	if out, err := enter("echo kept > /mnt/mesos/sandbox/data/file"); err != nil {
		t.Errorf("in the container: %v\n%s", err, out)
	}
	found, _ := filepath.Glob(filepath.Join(a.WorkDir, "volumes/roles/shop/w/file"))
	if len(found) != 1 {
		t.Fatalf("on the node there is %q", found)
	}
	if data, err := os.ReadFile(found[0]); err != nil || string(data) != "kept\n" {
		t.Errorf("on the node there is %q, %v", data, err)
	}
	d.report(t, second.GetTask(), mesos.TaskState_TASK_FINISHED)
	f.Follow("second", "TASK_FINISHED")
	testbed.Eventually(t, "the volume is unmounted", func() error {
		mounts, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(pid), "mountinfo"))
		if err != nil || strings.Contains(string(mounts), "/volumes/roles/shop/") {
			return errorf("it is mounted, or %v", err)
		}
		if _, err := os.Lstat(inside("data")); err == nil {
			return errorf("its link is there")
		}
		return nil
	})
}
