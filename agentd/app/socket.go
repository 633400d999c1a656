package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/mesos-operator/mesos-operator/agentd/httpapi"
	"github.com/mesos-operator/mesos-operator/internal/atomicfile"
	"github.com/mesos-operator/mesos-operator/internal/flags"
	"github.com/mesos-operator/mesos-operator/internal/httpserver"
)

// socketFlags say whether executors reach the agent by a domain socket.
type socketFlags struct {
	enabled  bool
	location *string
}

func (f *socketFlags) define(s *flags.Set) {
	s.Bool(&f.enabled, "http_executor_domain_sockets", false, "Have executors reach the agent by a domain socket.")
	s.OptionalString(&f.location, "domain_socket_location",
		"Path of that socket, or systemd:<name> for one that systemd passes. Default: agent.sock in --runtime_dir.")
}

// Mesos's constants. The length is that of sun_path, with the null byte at its end. Everybody
// may connect: executors run as any user, and authenticate like those that come by TCP.
const (
	maxSocketPath  = 108
	socketMode     = 0o666
	socketName     = "agent.sock"
	systemdPrefix  = "systemd:"
	firstSystemdFD = 3
)

// innerSocketDir is, in the runtime directory, what containers with an image find as a whole
// at the same place: a restarted agent makes a new socket, which the mount of a file wouldn't show.
const innerSocketDir = "executor"

// errSocketPath is wrapped by the error about a path that no socket can have.
var errSocketPath = fmt.Errorf("want less than %d characters", maxSocketPath)

// path is where the socket is; empty for none. That of systemd's isn't known yet.
func (f *socketFlags) path(runtimeDir string) string {
	switch {
	case !f.enabled:
		return ""
	case f.location == nil || *f.location == "":
		return filepath.Join(runtimeDir, socketName)
	}
	return *f.location
}

func (f *socketFlags) validate(runtimeDir string, networks bool) error {
	path := f.path(runtimeDir)
	switch inner := filepath.Join(runtimeDir, innerSocketDir, socketName); {
	case path == "" && !networks || strings.HasPrefix(path, systemdPrefix):
		return nil
	case path != "" && !filepath.IsAbs(path):
		return fmt.Errorf("--domain_socket_location=%s: want an absolute path", path)
	case len(path) >= maxSocketPath:
		return fmt.Errorf("--domain_socket_location=%s: %w", path, errSocketPath)
	case len(inner) >= maxSocketPath:
		return fmt.Errorf("--runtime_dir=%s: a socket in there, %s: %w", runtimeDir, inner, errSocketPath)
	}
	return nil
}

// executorSockets are the agent's ends: one for executors that see the node's files, and
// one that is also seen in images.
type executorSockets struct {
	listeners  []net.Listener
	path, node string // of the first, and of the directory of the second
}

// open makes the sockets. Without --http_executor_domain_sockets there is only the second, if
// there are containers without the node's network, and nothing otherwise.
func (f *socketFlags) open(runtimeDir string, networks bool) (*executorSockets, error) {
	path := f.path(runtimeDir)
	if path == "" && !networks {
		return nil, nil
	}
	s := &executorSockets{node: filepath.Join(runtimeDir, innerSocketDir)}
	if path != "" {
		first, err := listenLocal(path)
		if err != nil {
			return nil, fmt.Errorf("opening the executors' domain socket: %w", err)
		}
		s.listeners, s.path = append(s.listeners, first), first.Addr().String()
	}
	second, err := listenLocal(filepath.Join(s.node, socketName))
	if err != nil {
		s.close()
		return nil, fmt.Errorf("opening the domain socket of executors with an image: %w", err)
	}
	s.listeners = append(s.listeners, second)
	return s, nil
}

// listenLocal makes a socket in place of one that an earlier agent left. Any other file of
// that name is an error.
func listenLocal(path string) (net.Listener, error) {
	if name, ok := strings.CutPrefix(path, systemdPrefix); ok {
		return passed(name, os.LookupEnv)
	}
	if err := atomicfile.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, socketMode); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// passed is the socket that systemd passes by a name. Some of its versions give none, or
// "unknown".
func passed(name string, lookup func(string) (string, bool)) (net.Listener, error) {
	get := func(variable string) string { v, _ := lookup(variable); return v }
	count, err := strconv.Atoi(get("LISTEN_FDS"))
	if err != nil || get("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil, errors.New("systemd has passed no sockets to this process (LISTEN_PID, LISTEN_FDS)")
	}
	names := strings.Split(get("LISTEN_FDNAMES"), ":")
	var found []int
	for i := range count {
		if i >= len(names) || slices.Contains([]string{name, "unknown", ""}, names[i]) {
			found = append(found, firstSystemdFD+i)
		}
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("systemd has passed %d sockets with the name %q, want one", len(found), name)
	}
	return listenerOf(found[0])
}

func listenerOf(fd int) (net.Listener, error) {
	file := os.NewFile(uintptr(fd), "systemd")
	defer file.Close()
	l, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("using the socket that systemd passed: %w", err)
	}
	if _, ok := l.(*net.UnixListener); !ok {
		l.Close()
		return nil, fmt.Errorf("the socket that systemd passed is no domain socket but %s", l.Addr().Network())
	}
	return l, nil
}

// location is what executors are told.
func (s *executorSockets) location() string {
	if s == nil {
		return ""
	}
	return s.path
}

func (s *executorSockets) close() {
	for _, l := range s.listeners {
		l.Close()
	}
}

// serve answers executors until ctx ends.
func (s *executorSockets) serve(ctx context.Context, a *app) error {
	errs := make([]error, len(s.listeners))
	done := make(chan int)
	for i, l := range s.listeners {
		go func() {
			errs[i] = httpserver.New(httpserver.Config{Handler: onlyExecutors(a.router), Log: a.log.WithName("http")}).Serve(ctx, l)
			done <- i
		}()
	}
	for range s.listeners {
		<-done
	}
	return errors.Join(errs...)
}

// onlyExecutors lets through what executors need: their own API, and that of the agent for
// nested containers.
func onlyExecutors(next http.Handler) http.Handler {
	allowed := []string{"/" + httpapi.Process + "/api/v1/executor", "/" + httpapi.Process + "/api/v1"}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(allowed, r.URL.Path) {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
