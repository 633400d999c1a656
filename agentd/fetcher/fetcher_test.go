package fetcher

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/mesos"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/spawn"
	v1 "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// The test binary is the fetcher's process when it is started as one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == Name {
		os.Exit(Main(os.Args[2:]))
	}
	os.Exit(m.Run())
}

func fetcher(t *testing.T) *Fetcher {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s, err := spawn.New(t.Context(), spawn.Config{Binary: exe})
	if err != nil {
		t.Fatal(err)
	}
	f, err := New(DefaultConfig(), s)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func request1(t *testing.T, uri string) mesos.FetchRequest {
	t.Helper()
	log, err := os.CreateTemp(t.TempDir(), "stderr")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	return mesos.FetchRequest{ID: "c1", Sandbox: t.TempDir(), Output: log,
		URIs: []*v1.CommandInfo_URI{{Value: &uri}}}
}

func TestProcess(t *testing.T) {
	f := fetcher(t)
	local := filepath.Join(t.TempDir(), "local")
	if err := os.WriteFile(local, []byte("contents"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := request1(t, local)
	r.URIs = append(r.URIs, r.URIs[0]) // a second time
	if err := f.Fetch(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	out, err := os.ReadFile(r.Output.Name())
	for _, want := range []string{"Fetching '" + local + "' directly into the sandbox directory\n",
		"Fetched '" + local + "' to '" + r.Sandbox + "/local'\n", "Successfully fetched all URIs into '" + r.Sandbox + "'\n"} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("the task's user is told %q, want %q; error %v", out, want, err)
		}
	}
	if got, err := os.ReadFile(filepath.Join(r.Sandbox, "local")); err != nil || string(got) != "contents" {
		t.Errorf("%q, error %v", got, err)
	}

	r = request1(t, local+"-missing")
	err = f.Fetch(context.Background(), r)
	if err == nil || !strings.HasPrefix(err.Error(), "Failed to fetch '"+local+"-missing': ") {
		t.Errorf("error %v", err)
	}
	if out, readErr := os.ReadFile(r.Output.Name()); readErr != nil || !strings.HasSuffix(string(out), err.Error()+"\n") {
		t.Errorf("the task's user is told %q, error %v", out, readErr)
	}

	// Nothing is fetched if one of them can't be meant.
	r = request1(t, local)
	r.URIs = append(r.URIs, &v1.CommandInfo_URI{Value: new("/a/..")})
	if err = f.Fetch(context.Background(), r); !errors.Is(err, ErrURI) || !strings.HasPrefix(err.Error(), "Could not fetch: ") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(filepath.Join(r.Sandbox, "local")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("one URI is invalid, and the other was fetched: %v", err)
	}
	r = request1(t, " \n\t"+local)
	if err := f.Fetch(context.Background(), r); err != nil {
		t.Errorf("spaces before a URI: %v", err)
	}
	if _, err := os.Stat(filepath.Join(r.Sandbox, "local")); err != nil {
		t.Error(err)
	}
}

// TestEnvironment keeps the agent's own TLS from the process: a fetch by HTTPS is none of
// libprocess's.
func TestEnvironment(t *testing.T) {
	t.Setenv("LIBPROCESS_SSL_ENABLED", "true")
	t.Setenv("MESOS_CREDENTIAL", "/secret")
	t.Setenv("HTTPS_PROXY", "http://proxy")
	env := environment("/hadoop")
	for _, v := range env {
		if strings.HasPrefix(v, "LIBPROCESS") || strings.HasPrefix(v, "MESOS") {
			t.Errorf("the process gets %s", v)
		}
	}
	for _, want := range []string{"HTTPS_PROXY=http://proxy", "HADOOP_HOME=/hadoop"} {
		if !slices.Contains(env, want) {
			t.Errorf("%q is without %s", env, want)
		}
	}
}

// A fetch that is given up ends.
func TestProcessCancelled(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // and nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	f := fetcher(t)
	if err := f.Fetch(ctx, request1(t, "http://"+l.Addr().String()+"/f")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

// Files are read with the rights of the task's user, and become theirs.
// public returns a directory that all users can read, with the program that f starts.
func public(t *testing.T, f *Fetcher) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "fetcher") // t.TempDir is closed to others, as the test's own program is
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "fetcher")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(binary, exe, 0o755)); err != nil {
		t.Fatal(err)
	}
	if f.spawner, err = spawn.New(t.Context(), spawn.Config{Binary: binary}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestRootUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: becomes another user")
	}
	f := fetcher(t)
	const nobody = 65534
	dir := public(t, f)
	for name, mode := range map[string]os.FileMode{"public": 0o644, "secret": 0o600} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	box := filepath.Join(dir, "sandbox")
	if err := errors.Join(os.Mkdir(box, 0o755), os.Chown(box, nobody, nobody)); err != nil {
		t.Fatal(err)
	}
	for name, allowed := range map[string]bool{"public": true, "secret": false} {
		r := request1(t, filepath.Join(dir, name))
		r.Sandbox, r.Credential = box, &syscall.Credential{Uid: nobody, Gid: nobody}
		err := f.Fetch(context.Background(), r)
		if !allowed {
			if err == nil || !strings.Contains(err.Error(), "permission denied") {
				t.Errorf("%s: error %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		info, err := os.Stat(filepath.Join(box, name))
		if err != nil || info.Sys().(*syscall.Stat_t).Uid != nobody {
			t.Errorf("%s: %v, error %v", name, info, err)
		}
	}
}
