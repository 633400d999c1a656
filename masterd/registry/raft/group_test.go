package raft_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/masterd/registry/raft"
)

// list is a peers file that changes.
type list struct {
	mu    sync.Mutex
	peers []raft.Peer
	err   error
}

func (l *list) set(peers []raft.Peer, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.peers, l.err = peers, err
}

func (l *list) load() ([]raft.Peer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.peers, l.err
}

// start opens a member that follows the list.
func (g *group) start(t *testing.T, l *list, p raft.Peer) {
	t.Helper()
	if g.dirs[p.ID] == "" {
		g.dirs[p.ID] = t.TempDir()
	}
	peers, _ := l.load()
	g.members[p.ID] = open(t, raft.Config{
		Dir: g.dirs[p.ID], ID: p.ID, Address: p.Address, Peers: peers, Reload: l.load,
		HeartbeatTimeout: 300 * time.Millisecond, ElectionTimeout: 300 * time.Millisecond,
	})
}

// TestTheGroupFollowsItsList grows a group from one to three, replaces the
// leader, and shrinks it to one, writing all the time.
func TestTheGroupFollowsItsList(t *testing.T) {
	var all []raft.Peer
	for i := range 4 {
		all = append(all, raft.Peer{ID: fmt.Sprintf("m%d", i), Address: freeAddress(t)})
	}
	g := &group{members: map[string]*raft.Store{}, dirs: map[string]string{}}
	l := &list{}
	agents := 0
	// becomes waits until the group is the list, and admits an agent.
	becomes := func(peers ...raft.Peer) string {
		t.Helper()
		l.set(peers, nil)
		g.peers = peers
		for _, p := range peers {
			if g.members[p.ID] == nil {
				g.start(t, l, p)
			}
		}
		for id := range g.members {
			if !strings.Contains(fmt.Sprint(peers), id) {
				defer func() { g.members[id].Close(); delete(g.members, id) }()
			}
		}
		leader, term := g.lead(t)
		if _, err := term.Apply(t.Context(), admit(fmt.Sprint(agents))); err != nil {
			t.Fatal(err)
		}
		agents++
		return leader
	}
	becomes(all[0])
	becomes(all[:3]...)
	g.agree(t, becomes(all[:3]...), agents)
	l.set(nil, fmt.Errorf("half written"))
	becomes(all[1:]...) // without m0, which leads
	g.agree(t, becomes(all[1:]...), agents)
	g.agree(t, becomes(all[2:]...), agents)
	g.agree(t, becomes(all[3]), agents)
}

// TestTheFirstDoesNotBeginTwice takes its directory from the member that began
// the group.
func TestTheFirstDoesNotBeginTwice(t *testing.T) {
	g := newGroup(t, 3)
	leader, term := g.lead(t)
	if _, err := term.Apply(t.Context(), admit("1")); err != nil {
		t.Fatal(err)
	}
	g.agree(t, leader, 1)
	if err := g.members["m0"].Close(); err != nil {
		t.Fatal(err)
	}
	g.dirs["m0"] = t.TempDir()
	g.open(t, g.peers[0])
	leader, _ = g.lead(t)
	if leader == "m0" {
		t.Error("the member that lost everything leads")
	}
	g.agree(t, leader, 1)
}

// authority issues certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "masters"}, IsCA: true, BasicConstraintsValid: true,
		NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, cert: cert, key: key, file: filepath.Join(t.TempDir(), "ca.pem")}
	write(t, a.file, "CERTIFICATE", der)
	return a
}

// issue makes the files of a member at a host.
func (a *authority) issue(ip string) *raft.TLS {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.ParseIP(ip)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	dir := a.t.TempDir()
	files := &raft.TLS{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"), CAFile: a.file}
	write(a.t, files.CertFile, "CERTIFICATE", der)
	write(a.t, files.KeyFile, "PRIVATE KEY", private)
	return files
}

func write(t *testing.T, name, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTLS(t *testing.T) {
	ours, foreign := newAuthority(t), newAuthority(t)
	g := &group{members: map[string]*raft.Store{}}
	for i := range 3 {
		g.peers = append(g.peers, raft.Peer{ID: fmt.Sprintf("m%d", i), Address: freeAddress(t)})
	}
	start := func(p raft.Peer, files *raft.TLS) *raft.Store {
		return open(t, raft.Config{
			Dir: t.TempDir(), ID: p.ID, Address: p.Address, Peers: g.peers, TLS: files,
			HeartbeatTimeout: 300 * time.Millisecond, ElectionTimeout: 300 * time.Millisecond,
		})
	}
	for _, p := range g.peers[:2] {
		g.members[p.ID] = start(p, ours.issue("127.0.0.1"))
	}
	intruder := start(g.peers[2], foreign.issue("127.0.0.1"))
	for deadline := time.Now().Add(patience); g.members["m0"].Voters() != 2; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("two with certificates of the same authority don't make a group")
		}
	}
	time.Sleep(time.Second) // the third has been tried to reach by now
	if n := g.members["m0"].Voters(); n != 2 || intruder.Leader() != nil {
		t.Errorf("with a foreign certificate: %d voters, it knows leader %v", n, intruder.Leader())
	}
	if err := intruder.Close(); err != nil {
		t.Fatal(err)
	}
	if conn, err := tls.Dial("tcp", g.peers[0].Address, &tls.Config{InsecureSkipVerify: true}); err == nil {
		// TLS 1.3 tells the client only when it reads.
		conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := conn.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("a client without certificate: %v", err)
		}
		conn.Close()
	}
	g.members["m2"] = start(g.peers[2], ours.issue("127.0.0.1"))
	leader, _ := g.lead(t)
	g.agree(t, leader, 0)
}

func TestTLSFilesAreChecked(t *testing.T) {
	a := newAuthority(t)
	files := a.issue("127.0.0.1")
	peers := []raft.Peer{{ID: "m0", Address: freeAddress(t)}}
	for name, c := range map[string]struct {
		files raft.TLS
		want  string
	}{
		"no key":       {raft.TLS{CertFile: files.CertFile, CAFile: files.CAFile}, "TLS needs"},
		"no such file": {raft.TLS{CertFile: files.CertFile, KeyFile: files.KeyFile + "x", CAFile: files.CAFile}, "no such file"},
		"another key":  {raft.TLS{CertFile: files.CertFile, KeyFile: a.issue("127.0.0.1").KeyFile, CAFile: files.CAFile}, "does not match"},
		"no authority": {raft.TLS{CertFile: files.CertFile, KeyFile: files.KeyFile, CAFile: files.KeyFile}, "no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := raft.Open(raft.Config{Dir: t.TempDir(), ID: "m0", Address: peers[0].Address, Peers: peers, TLS: &c.files})
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// TestWhoIsNotListedRuns starts members that a list doesn't name yet, or not any more:
// they neither refuse to start nor begin a group, and a vote that they still have counts.
func TestWhoIsNotListedRuns(t *testing.T) {
	g := &group{members: map[string]*raft.Store{}, dirs: map[string]string{}}
	var all []raft.Peer
	for i := range 3 {
		all = append(all, raft.Peer{ID: fmt.Sprintf("m%d", i), Address: freeAddress(t)})
	}
	l := &list{peers: all[:1]}
	for _, p := range all {
		g.start(t, l, p)
	}
	g.peers = all[:1]
	if leader, _ := g.lead(t); leader != "m0" {
		t.Fatalf("%s leads, which nobody listed", leader)
	}
	g.peers = all
	l.set(all, nil)
	leader, term := g.lead(t)
	if _, err := term.Apply(t.Context(), admit("1")); err != nil {
		t.Fatal(err)
	}
	g.agree(t, leader, 1)
	leader = ""
	for id, m := range g.members {
		if err := m.Close(); err != nil {
			t.Fatalf("closing %s: %v", id, err)
		}
		delete(g.members, id)
	}
	// m2 is to go, but without it, and without m0, which is dead, m1 has no majority.
	l.set(all[:2], nil)
	g.start(t, l, all[1])
	g.start(t, l, all[2])
	for deadline := time.Now().Add(patience); time.Now().Before(deadline) && leader != "m1"; {
		leader, _ = g.lead(t) // m2 may win, and hands over
	}
	g.agree(t, "m1", 1)
}
