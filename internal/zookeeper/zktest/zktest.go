// Package zktest runs ZooKeeper from Debian's package as processes on loopback,
// for tests. Nothing of the machine's own ZooKeeper is used or touched.
package zktest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/internal/zookeeper"
)

// jar is where Debian's libzookeeper-java has the server; its manifest names
// what it needs.
const jar = "/usr/share/java/zookeeper.jar"

// patience is how long a Java process may take to answer on a busy machine.
const patience = 60 * time.Second

// tick is ZooKeeper's unit of time. Sessions may have 2 to 20 of it.
const tick = 500 * time.Millisecond

// Server is one ZooKeeper server, which may be killed and started again.
type Server struct {
	// Address is the "127.0.0.1:port" for clients, the same in all lives.
	Address string

	t    testing.TB
	dir  string
	cmd  *exec.Cmd
	done chan struct{}
}

// Ensemble is one or several servers that belong together.
type Ensemble struct {
	Servers []*Server
	paths   atomic.Int32
}

// Start starts an ensemble of n servers and waits until it works. The test is
// skipped where ZooKeeper isn't installed.
func Start(t testing.TB, n int) *Ensemble {
	t.Helper()
	e := New(t, n)
	for _, s := range e.Servers {
		s.Start()
	}
	for _, s := range e.Servers {
		s.Await()
	}
	return e
}

// New is Start without the start.
func New(t testing.TB, n int) *Ensemble {
	t.Helper()
	if _, err := os.Stat(jar); err != nil {
		t.Skip("needs ZooKeeper: hack/packages.sh installs libzookeeper-java")
	}
	if _, err := exec.LookPath("java"); err != nil {
		t.Skip("needs Java for ZooKeeper: hack/packages.sh installs default-jre-headless")
	}
	e := &Ensemble{}
	var members strings.Builder
	for i := range n {
		s := &Server{Address: freeAddress(t), t: t, dir: t.TempDir()}
		e.Servers = append(e.Servers, s)
		_, peer, _ := net.SplitHostPort(freeAddress(t))
		_, vote, _ := net.SplitHostPort(freeAddress(t))
		if n > 1 {
			fmt.Fprintf(&members, "server.%d=127.0.0.1:%s:%s\n", i+1, peer, vote)
		}
	}
	for i, s := range e.Servers {
		s.configure(i+1, members.String())
		t.Cleanup(s.Kill)
	}
	return e
}

// URL returns the URL of a path that no other test of this ensemble has.
func (e *Ensemble) URL(t testing.TB, credentials string) zookeeper.URL {
	t.Helper()
	var servers []string
	for _, s := range e.Servers {
		servers = append(servers, s.Address)
	}
	if credentials != "" {
		credentials += "@"
	}
	u, err := zookeeper.ParseURL(fmt.Sprintf("zk://%s%s/test-%d/mesos", credentials, strings.Join(servers, ","), e.paths.Add(1)))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (s *Server) configure(id int, members string) {
	s.t.Helper()
	_, port, _ := net.SplitHostPort(s.Address)
	data := filepath.Join(s.dir, "data")
	config := fmt.Sprintf("tickTime=%d\ninitLimit=20\nsyncLimit=10\ndataDir=%s\nclientPort=%s\nclientPortAddress=127.0.0.1\n"+
		"admin.enableServer=false\n4lw.commands.whitelist=ruok,srvr\nmaxClientCnxns=0\n%s", tick.Milliseconds(), data, port, members)
	files := map[string]string{
		"zoo.cfg": config, "data/myid": fmt.Sprintln(id),
		"log4j.properties": "log4j.rootLogger=WARN, out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\n" +
			"log4j.appender.out.layout=org.apache.log4j.PatternLayout\nlog4j.appender.out.layout.ConversionPattern=%d %p %c %m%n\n",
	}
	if err := os.MkdirAll(data, 0o755); err != nil {
		s.t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
}

// Start begins a life; see Await.
func (s *Server) Start() {
	s.t.Helper()
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.cmd = exec.Command("java", "-Xmx192m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto",
		"-Dzookeeper.jmx.log4j.disable=true", "-Dzookeeper.forceSync=no",
		"-cp", s.dir+":"+jar, "org.apache.zookeeper.server.quorum.QuorumPeerMain", filepath.Join(s.dir, "zoo.cfg"))
	s.cmd.Stdout, s.cmd.Stderr = log, log
	// It ends with the test, however that ends.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatalf("starting ZooKeeper: %v", err)
	}
	s.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan<- struct{}) { _ = cmd.Wait(); close(done) }(s.cmd, s.done)
}

// Await waits until the server serves clients, which takes a majority.
func (s *Server) Await() {
	s.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if strings.Contains(s.ask("srvr"), "Mode: ") {
			return
		}
		select {
		case <-s.done:
			s.t.Fatalf("ZooKeeper ended\n%s", s.Log())
		default:
		}
	}
	s.t.Fatalf("ZooKeeper doesn't serve\n%s", s.Log())
}

// ask sends a four-letter word.
func (s *Server) ask(word string) string {
	conn, err := net.DialTimeout("tcp", s.Address, time.Second)
	if err != nil {
		return ""
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := conn.Write([]byte(word)); err != nil {
		return ""
	}
	answer := make([]byte, 4096)
	n := 0
	for n < len(answer) {
		m, err := conn.Read(answer[n:])
		n += m
		if err != nil {
			break
		}
	}
	return string(answer[:n])
}

// Kill ends the life with SIGKILL.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.done
}

// Pause stops the process, which keeps its connections; Resume lets it go on.
func (s *Server) Pause() { _ = s.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (s *Server) Resume() { _ = s.cmd.Process.Signal(syscall.SIGCONT) }

// Log returns what the server wrote.
func (s *Server) Log() string {
	text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return string(text[max(0, len(text)-8<<10):])
}

// ports keeps servers of one process apart; they must not be in the range from
// which the kernel takes those of outgoing connections.
var ports atomic.Int32

func freeAddress(t testing.TB) string {
	t.Helper()
	for range 200 {
		address := fmt.Sprintf("127.0.0.1:%d", 12000+(os.Getpid()*37+int(ports.Add(3)))%8000)
		if l, err := net.Listen("tcp", address); err == nil {
			_ = l.Close()
			return address
		}
	}
	t.Fatal("no free port")
	return ""
}
