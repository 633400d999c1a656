package agent

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// hidden is a value that must not be found anywhere but with tasks.
const hidden = "correct-horse-battery"

func referTo(name, key string) testbed.Object {
	return testbed.Object{"type": "REFERENCE", "reference": testbed.Object{"name": name, "key": key}}
}

func secretVariable(name string, secret testbed.Object) testbed.Object {
	return testbed.Object{"variables": testbed.List{testbed.Object{"name": name, "type": "SECRET", "secret": secret}}}
}

// holders are the files below a directory with the secret in them.
func holders(t *testing.T, dir string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // files of containers come and go
		}
		if data, err := os.ReadFile(path); err == nil && bytes.Contains(data, []byte(hidden)) {
			out = append(out, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestSecretsByReference: tasks of both executors get secrets that they refer to, in
// their environment and as files; what the agent keeps and shows has the references.
func TestSecretsByReference(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "db"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "db", "password"), []byte(hidden), 0o400); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, runtime := range testbed.Runtimes() {
		t.Run(string(runtime), func(t *testing.T) {
			master := testbed.StartMaster(t)
			flags := []string{"--secret_resolver=directory", "--secret_directory=" + dir}
			if runtime == testbed.OCI {
				flags = append(flags, "--isolation=cgroups/cpu,cgroups/mem,filesystem/linux,volume/secret")
			}
			agent := testbed.StartAgent(t, master.Address, runtime, flags...)
			f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
			sum, err := exec.Command("sh", "-c", "printf %s "+hidden+" | sha256sum").Output()
			if err != nil {
				t.Fatal(err)
			}
			digest := strings.Fields(string(sum))[0]
			s1, s2 := testbed.NewSleeper(), testbed.NewSleeper()
			script := `printf %s "$PASSWORD" | sha256sum; `
			if runtime == testbed.OCI {
				script += `sha256sum < keys/db; stat -c %a keys/db; `
			}
			secret := func(task testbed.Object) {
				task["command"].(testbed.Object)["environment"] = secretVariable("PASSWORD", referTo("db", "password"))
				if runtime == testbed.OCI {
					task["container"] = testbed.Object{"type": "MESOS", "volumes": testbed.List{testbed.Object{
						"mode": "RO", "container_path": "keys/db", "source": testbed.Object{"type": "SECRET", "secret": referTo("db", "password")}}}}
				}
			}
			offer := f.Offer()
			task := testbed.Task(offer, "t1", script+"exec "+s1.Command())
			secret(task)
			f.Accept(offer, testbed.Launch(task))
			f.Follow("t1", "TASK_STARTING", "TASK_RUNNING")
			g := newGroup(f, "e")
			g.launch(func(_ string, task testbed.Object) { secret(task) }, "g1", script+"exec "+s2.Command())
			f.Follow("g1", "TASK_STARTING", "TASK_RUNNING")
			s1.PID(t)
			s2.PID(t)
			want := strings.Repeat(digest+"  -\n", 1)
			if runtime == testbed.OCI {
				want += digest + "  -\n400\n"
			}
			for task, path := range map[string]string{"t1": agent.Sandbox("t1") + "/stdout", "g1": agent.Sandbox("e") + "/tasks/g1/stdout"} {
				if got := agent.ReadFile(path); !strings.Contains(got, want) {
					t.Errorf("task %s printed %q, want %q", task, got, want)
				}
			}
			// Of all the agent's files only the container's own specification and volume,
			// which nobody else may read and which are gone with it, have the value.
			for _, file := range holders(t, agent.WorkDir) {
				if !strings.HasSuffix(file, "/config.json") && !strings.HasSuffix(file, "/spec.json") {
					t.Errorf("%s has the secret", file)
				}
				if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o077 != 0 {
					t.Errorf("others may read %s, which has the secret", file)
				}
			}
			for _, path := range []string{"/state", "/containers", "/flags"} {
				if text := agent.Get(path).String(); strings.Contains(text, hidden) {
					t.Errorf("%s shows the secret", path)
				}
			}
			if strings.Contains(agent.Log(), hidden) || strings.Contains(master.Log(), hidden) {
				t.Error("a log has the secret")
			}

			offer = f.Offer()
			task = testbed.Task(offer, "t2", "exit 0")
			task["command"].(testbed.Object)["environment"] = secretVariable("PASSWORD", referTo("db", "user"))
			f.Accept(offer, testbed.Launch(task))
			failed := f.Follow("t2", "TASK_FAILED")
			if failed.At("reason").Text() != "REASON_CONTAINER_LAUNCH_FAILED" || !strings.Contains(failed.At("message").Text(), "db/user") {
				t.Errorf("a secret that isn't there: %v", failed)
			}
			f.Call("TEARDOWN", nil)
			s1.AwaitEnd(t)
			s2.AwaitEnd(t)
		})
	}
}
