// Command probe is the workload of localkube's smoke test: a web server, and the
// few things that the test wants done from inside of a pod, as subcommands.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	commands := map[string]struct {
		args int
		run  func(args []string) error
	}{
		"serve":  {1, serve},
		"lookup": {1, lookup},
		"srv":    {1, srv},
		"get":    {1, get},
		"write":  {2, func(a []string) error { return os.WriteFile(a[0], []byte(a[1]), 0o644) }},
		"read":   {1, read},
		"mount":  {1, mount},
		"umount": {1, func(a []string) error { return unix.Unmount(a[0], 0) }},
		"host":   {1, host},
	}
	if len(args) == 0 {
		return errors.New("no command")
	}
	c, ok := commands[args[0]]
	if !ok || len(args)-1 < c.args {
		return fmt.Errorf("unknown command or missing arguments: %q", args)
	}
	return c.run(args[1:])
}

// serve ADDRESS answers every request with the host's name until it is told to end.
func serve(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	s := &http.Server{Addr: args[0], ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, name) })}
	go func() {
		<-ctx.Done()
		_ = s.Close()
	}()
	log.Printf("%s serves on %s", name, args[0])
	if err := s.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// lookup NAME prints addresses.
func lookup(args []string) error {
	addrs, err := net.LookupHost(args[0])
	slices.Sort(addrs)
	fmt.Println(strings.Join(addrs, " "))
	return err
}

// srv NAME prints targets and ports.
func srv(args []string) error {
	_, records, err := net.LookupSRV("", "", args[0])
	for _, r := range records {
		fmt.Printf("%s:%d\n", r.Target, r.Port)
	}
	return err
}

// get URL prints what is there.
func get(args []string) error {
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get(args[0])
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(os.Stdout, resp.Body)
	return err
}

// read FILE prints its content.
func read(args []string) error {
	b, err := os.ReadFile(args[0])
	fmt.Print(string(b))
	return err
}

// mount FOLDER puts a tmpfs there.
func mount(args []string) error {
	if err := os.MkdirAll(args[0], 0o755); err != nil {
		return err
	}
	return unix.Mount("probe", args[0], "tmpfs", 0, "size=1m")
}

// host COMMAND... runs a command in the mount and host name namespaces of process 1,
// which is the node's if the pod has hostPID.
func host(args []string) error {
	runtime.LockOSThread() // and never unlock: the thread is not fit for anything else
	// A thread that shares its root and working folder can't change mount namespaces.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	for name, kind := range map[string]int{"mnt": unix.CLONE_NEWNS, "uts": unix.CLONE_NEWUTS} {
		f, err := os.Open("/proc/1/ns/" + name)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := unix.Setns(int(f.Fd()), kind); err != nil {
			return fmt.Errorf("entering namespace %s of process 1: %w", name, err)
		}
	}
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	fmt.Print(string(out))
	return err
}
