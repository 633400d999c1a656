package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// controlVariable makes this program an HTTP server that has nothing else to do, to
// which the master is compared; probeVariable makes it a client that probes the URLs
// which are its value, separated by spaces.
const (
	controlVariable = "BENCH_CONTROL"
	probeVariable   = "BENCH_PROBE"
)

// role is a process of this program with a task of its own, so that nobody waits
// for it but who asks it for something, and it for nobody.
type role struct {
	b   *testing.B
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startRole(b *testing.B, variable, value string) *role {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	r := &role{b: b, cmd: exec.Command(self)}
	r.cmd.Env = append(os.Environ(), variable+"="+value)
	// A session of its own, as the daemons have: the kernel shares processors among sessions.
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}
	r.cmd.Stderr = os.Stderr
	if r.in, err = r.cmd.StdinPipe(); err != nil {
		b.Fatal(err)
	}
	out, err := r.cmd.StdoutPipe()
	if err == nil {
		err = r.cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	r.out = bufio.NewReader(out)
	return r
}

// leastPriority is the nice value of who gets what others leave.
const leastPriority = 19

// yield has the process get the processor time that others leave, as if it ran on
// another machine. Where the kernel shares processors among sessions, that is a
// property of its session, else of its threads.
func (r *role) yield() {
	r.b.Helper()
	group := fmt.Sprintf("/proc/%d/autogroup", r.cmd.Process.Pid)
	if err := os.WriteFile(group, []byte(strconv.Itoa(leastPriority)), 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.b.Fatal(err)
	}
	if err := syscall.Setpriority(syscall.PRIO_PGRP, r.cmd.Process.Pid, leastPriority); err != nil {
		r.b.Fatal(err)
	}
}

// end closes the standard input of the process, which is its sign to end, and
// returns the rest of what it says.
func (r *role) end() string {
	r.b.Helper()
	r.in.Close()
	rest, err := io.ReadAll(r.out)
	if err == nil {
		err = r.cmd.Wait()
	}
	if err != nil {
		r.b.Fatalf("%s: %v", r.cmd.Env[len(r.cmd.Env)-1], err)
	}
	return strings.TrimSpace(string(rest))
}

// playRole does what the environment says, and returns false if that is nothing.
func playRole() bool {
	switch {
	case os.Getenv(pollVariable) != "":
		pollForEver(os.Getenv(pollVariable))
	case os.Getenv(controlVariable) != "":
		serveControl()
	case os.Getenv(probeVariable) != "":
		probeForEver(strings.Fields(os.Getenv(probeVariable)))
	default:
		return false
	}
	return true
}

// controlSize is how long the /state of a control is, about as long as that of the
// master, and controlBlock what it is written in.
const (
	controlSize  = 160e6
	controlBlock = 64 << 10
)

// serveControl says its URL and serves until standard input ends.
func serveControl() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("http://%s\n", listener.Addr())
	mux := http.NewServeMux()
	mux.HandleFunc("/health", func(http.ResponseWriter, *http.Request) {})
	block := make([]byte, controlBlock)
	mux.HandleFunc("/state", func(w http.ResponseWriter, _ *http.Request) {
		for sent := 0; sent < controlSize; sent += len(block) {
			if _, err := w.Write(block); err != nil {
				return // the client is gone
			}
		}
	})
	go func() { _ = http.Serve(listener, mux) }()
	_, _ = io.Copy(io.Discard, os.Stdin) // its end is what is waited for
}

// startControl starts a control and returns its URL.
func startControl(b *testing.B) string {
	b.Helper()
	r := startRole(b, controlVariable, "yes")
	b.Cleanup(func() { r.end() })
	line, err := r.out.ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// probeForEver probes the URLs side by side until standard input ends, and says
// how long each of the requests took, in nanoseconds: a list of lists.
func probeForEver(urls []string) {
	ctx, stop := context.WithCancel(context.Background())
	took := make([][]time.Duration, len(urls))
	var work sync.WaitGroup
	var got atomic.Int64
	for i, url := range urls {
		work.Go(func() {
			for ; ctx.Err() == nil; time.Sleep(probePause) {
				begin := time.Now()
				if err := readAll(url, &got); err != nil {
					fmt.Fprintln(os.Stderr, "probing:", err)
					os.Exit(1)
				}
				took[i] = append(took[i], time.Since(begin))
			}
		})
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // its end is what is waited for
	stop()
	work.Wait()
	_ = json.NewEncoder(os.Stdout).Encode(took) // who asked sees if it is missing
}

// probeURLs probes URLs while f runs.
func probeURLs(b *testing.B, urls []string, f func()) [][]time.Duration {
	b.Helper()
	r := startRole(b, probeVariable, strings.Join(urls, " "))
	f()
	var took [][]time.Duration
	if err := json.Unmarshal([]byte(r.end()), &took); err != nil {
		b.Fatal(err)
	}
	return took
}
