package app

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSocketFlags(t *testing.T) {
	for name, c := range map[string]struct {
		flags      socketFlags
		dir        string
		want, fail string
	}{
		"off":              {flags: socketFlags{location: new("/x/agent.sock")}, dir: "/run"},
		"default":          {flags: socketFlags{enabled: true}, dir: "/run/mesos", want: "/run/mesos/agent.sock"},
		"empty":            {flags: socketFlags{enabled: true, location: new("")}, dir: "/run/mesos", want: "/run/mesos/agent.sock"},
		"named":            {flags: socketFlags{enabled: true, location: new("/x/y")}, dir: "/run", want: "/x/y"},
		"systemd":          {flags: socketFlags{enabled: true, location: new("systemd:" + strings.Repeat("x", 200))}, dir: "/run", want: "systemd:" + strings.Repeat("x", 200)},
		"relative":         {flags: socketFlags{enabled: true, location: new("x")}, dir: "/run", want: "x", fail: "absolute"},
		"107 characters":   {flags: socketFlags{enabled: true, location: new("/" + strings.Repeat("x", 106))}, dir: "/run", want: "/" + strings.Repeat("x", 106)},
		"108 characters":   {flags: socketFlags{enabled: true, location: new("/" + strings.Repeat("x", 107))}, dir: "/run", want: "/" + strings.Repeat("x", 107), fail: "108"},
		"a deep directory": {flags: socketFlags{enabled: true, location: new("/x")}, dir: "/" + strings.Repeat("x", 100), want: "/x", fail: "--runtime_dir"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.flags.path(c.dir); got != c.want {
				t.Errorf("path %q, want %q", got, c.want)
			}
			err := c.flags.validate(c.dir, false)
			if (err == nil) != (c.fail == "") || err != nil && !strings.Contains(err.Error(), c.fail) {
				t.Errorf("error %v, want %q", err, c.fail)
			}
		})
	}
}

// TestListenLocal makes the socket anew where an agent left one, and nowhere else.
func TestListenLocal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "below", "agent.sock")
	for range 2 {
		l, err := listenLocal(path)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != socketMode {
			t.Errorf("mode %v, %v", info, err)
		}
		if conn, err := net.Dial("unix", path); err != nil {
			t.Error(err)
		} else {
			conn.Close()
		}
		l.(*net.UnixListener).SetUnlinkOnClose(false) // as one that is killed
		l.Close()
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for name, make := range map[string]func() error{
		"file":      func() error { return os.WriteFile(path, []byte("precious"), 0o644) },
		"directory": func() error { return os.Mkdir(path, 0o755) },
		"link": func() error {
			other, err := net.Listen("unix", path+".other")
			if err == nil {
				t.Cleanup(func() { other.Close() })
				err = os.Symlink(path+".other", path)
			}
			return err
		},
	} {
		if err := make(); err != nil {
			t.Fatal(err)
		}
		if l, err := listenLocal(path); err == nil {
			l.Close()
			t.Errorf("a %s was replaced", name)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPassedSockets(t *testing.T) {
	pid := fmt.Sprint(os.Getpid())
	for name, c := range map[string]struct {
		env  map[string]string
		fail string
	}{
		"nothing":          {map[string]string{}, "no sockets"},
		"another process":  {map[string]string{"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "a"}, "no sockets"},
		"other names":      {map[string]string{"LISTEN_PID": pid, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "b:c"}, "0 sockets"},
		"twice":            {map[string]string{"LISTEN_PID": pid, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:a"}, "2 sockets"},
		"one and unknown":  {map[string]string{"LISTEN_PID": pid, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:unknown"}, "2 sockets"},
		"no names, but 2":  {map[string]string{"LISTEN_PID": pid, "LISTEN_FDS": "2"}, "2 sockets"},
		"count is no such": {map[string]string{"LISTEN_PID": pid, "LISTEN_FDS": "x"}, "no sockets"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := passed("a", func(v string) (string, bool) { s, ok := c.env[v]; return s, ok })
			if err == nil || !strings.Contains(err.Error(), c.fail) {
				t.Errorf("%v, error %v, want %q", l, err, c.fail)
			}
		})
	}
	t.Run("a domain socket", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "s")
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		file, err := l.(*net.UnixListener).File()
		if err != nil {
			t.Fatal(err)
		}
		got, err := listenerOf(int(file.Fd()))
		if err != nil || got.Addr().String() != path {
			t.Fatalf("%v, %v", got, err)
		}
		got.Close()
	})
	t.Run("another socket", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		file, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := listenerOf(int(file.Fd())); err == nil {
			got.Close()
			t.Error("no error")
		}
	})
}

func TestOnlyExecutors(t *testing.T) {
	h := onlyExecutors(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	for path, want := range map[string]int{
		"/slave(1)/api/v1/executor": http.StatusTeapot, "/slave(1)/api/v1": http.StatusTeapot,
		"/api/v1/executor": http.StatusForbidden, "/slave(1)/api/v1/": http.StatusForbidden, "/slave(1)/state": http.StatusForbidden,
		"/": http.StatusForbidden, "/slave(1)/api/v1/executor/../../../files/read": http.StatusForbidden,
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.URL.Path = path
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
}
