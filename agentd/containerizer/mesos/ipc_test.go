package mesos

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/namespaces/ipc"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/testkit/images"
)

// withIPC gives a container an IPC mode, beside what it has.
func withIPC(c containerizer.Config, mode mesos.LinuxInfo_IpcMode, size *uint32) containerizer.Config {
	if c.Container == nil {
		c.Container = &mesos.ContainerInfo{Type: mesos.ContainerInfo_MESOS.Enum()}
	}
	c.Container.LinuxInfo = &mesos.LinuxInfo{IpcMode: &mode, ShmSize: size}
	return c
}

// saying is a script that puts into the file out what a container sees, at once, and stays.
func saying(what string) string {
	return "{ " + what + "; } > tmp 2>&1; cat tmp > out; sleep 600"
}

// TestRootSharedShm: a container has an IPC namespace and a /dev/shm of its own, which all
// that are nested in it can share, with an image and without; also when the agent was killed
// in between.
func TestRootSharedShm(t *testing.T) {
	const private, share = mesos.LinuxInfo_PRIVATE, mesos.LinuxInfo_SHARE_PARENT
	// The namespace, the size of /dev/shm in blocks, and what is in it.
	const look = `stat -Lc %i /proc/self/ns/ipc; stat -fc %b /dev/shm; cat /dev/shm/mesos-*`
	var node unix.Stat_t
	if err := unix.Stat("/proc/self/ns/ipc", &node); err != nil {
		t.Fatal(err)
	}
	blocks := strconv.Itoa(3 << 20 / os.Getpagesize())
	for name, killed := range map[string]bool{"one life": false, "agent killed": true} {
		t.Run(name, func(t *testing.T) {
			cfg, registry := imageConfig(t, "")
			cfg.Isolation = append(cfg.Isolation, ipc.Name)
			image := registry.Push(t, "shm", images.Of(t, v1.Config{}, images.Shell(t)))
			root := withIPC(sh(t, cfg, "root", saying(`echo root > /dev/shm/mesos-1; `+look)), private, new(uint32(3)))
			var m *Containerizer
			if killed {
				killedAgent(t, cfg, root)
				m = agent(t, cfg)
				if orphans, err := m.Recover(deadline(t), []containerizer.Recovered{{Config: root}}); err != nil || len(orphans) > 0 {
					t.Fatalf("orphans %v, error %v", orphans, err)
				}
			} else {
				m = agent(t, cfg)
				launch(t, m, root)
			}
			own := strings.Split(strings.TrimSpace(waitFor(t, root, "out")), "\n")
			if len(own) != 3 || own[0] == strconv.FormatUint(node.Ino, 10) || own[1] != blocks {
				t.Fatalf("the parent sees %q", own)
			}
			expect := func(c containerizer.Config, files ...string) {
				t.Helper()
				launch(t, m, c)
				want := strings.Join(append([]string{own[0], own[1]}, files...), "\n") + "\n"
				if got := waitFor(t, c, "out"); got != want {
					t.Errorf("%s sees %q, want %q; stderr %s", c.ID, got, want, read(t, c, "stderr"))
				}
			}
			child := withIPC(below(root, "child", saying(`echo child > /dev/shm/mesos-2; `+look)), share, nil)
			expect(child, "root", "child")
			other := withIPC(withImage(below(root, "other", saying(`echo other > /dev/shm/mesos-3; `+look)), image), share, nil)
			expect(other, "root", "child", "other")
			expect(withIPC(below(child, "grandchild", saying(look)), share, nil), "root", "child", "other")

			debug := below(child, "debug", look)
			debug.Class = containerizer.ClassDebug
			launch(t, m, debug)
			said, _ := all(t, attachOutput(t, m, debug.ID))
			if want := strings.Join(append(own, "child", "other"), "\n"); strings.TrimSpace(said) != want {
				t.Errorf("a debug container sees %q, want %q", said, want)
			}
			// Who says nothing shares the namespace alone.
			const alone = `stat -Lc %i /proc/self/ns/ipc; ls /dev/shm | grep -c mesos-`
			for _, c := range []containerizer.Config{
				below(root, "plain", saying(alone)), withImage(below(root, "image", saying(alone)), image),
			} {
				launch(t, m, c)
				if got, want := waitFor(t, c, "out"), own[0]+"\n0\n"; got != want {
					t.Errorf("%s sees %q, want %q", c.ID, got, want)
				}
			}
		})
	}
}

// TestRootNodesIPC: without the isolator all containers are in the node's IPC namespace; those
// with an image have a /dev/shm of their own all the same.
func TestRootNodesIPC(t *testing.T) {
	cfg, registry := imageConfig(t, "")
	image := registry.Push(t, "shm", images.Of(t, v1.Config{}, images.Shell(t)))
	m := agent(t, cfg)
	const look = `stat -Lc %i /proc/self/ns/ipc; stat -Lc %d /dev/shm`
	var namespace, shm unix.Stat_t
	if err := errors.Join(unix.Stat("/proc/self/ns/ipc", &namespace), unix.Stat("/dev/shm", &shm)); err != nil {
		t.Fatal(err)
	}
	root := sh(t, cfg, "root", saying(look))
	for _, c := range []containerizer.Config{root, withImage(below(root, "image", saying(look)), image)} {
		launch(t, m, c)
		ns, dev, _ := strings.Cut(strings.TrimSpace(waitFor(t, c, "out")), "\n")
		if ns != strconv.FormatUint(namespace.Ino, 10) {
			t.Errorf("%s: its IPC namespace is %s", c.ID, ns)
		}
		if nodes := dev == strconv.FormatUint(shm.Dev, 10); nodes != (c.ID == root.ID) {
			t.Errorf("%s: device of /dev/shm %s, the node's %d", c.ID, dev, shm.Dev)
		}
	}
}
