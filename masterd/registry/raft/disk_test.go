package raft

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	hraft "github.com/hashicorp/raft"

	"github.com/mesos-operator/mesos-operator/masterd/registry"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
	"github.com/mesos-operator/mesos-operator/masterd/registry/storetest"
)

// hangingDisk doesn't finish a write while its lock is held.
type hangingDisk struct {
	fullStore
	hang sync.Mutex
}

func (h *hangingDisk) StoreLogs(logs []*hraft.Log) error {
	h.hang.Lock()
	defer h.hang.Unlock()
	return h.fullStore.StoreLogs(logs)
}

// trio is three members whose disks can be made to hang.
type trio struct {
	stores [3]*Store
	disks  [3]*hangingDisk
}

func newTrio(t *testing.T, settings func(*Config)) *trio {
	t.Helper()
	var peers []Peer
	for i := range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		peers = append(peers, Peer{ID: fmt.Sprint(i), Address: l.Addr().String()})
		l.Close()
	}
	g := &trio{}
	for i, p := range peers {
		g.disks[i] = &hangingDisk{}
		cfg := Config{
			Dir: t.TempDir(), ID: p.ID, Address: p.Address, Peers: peers, Log: testr.New(t),
			DiskTimeout: 500 * time.Millisecond, HeartbeatTimeout: 300 * time.Millisecond, ElectionTimeout: 300 * time.Millisecond,
			wrap: func(s fullStore) fullStore { g.disks[i].fullStore = s; return g.disks[i] },
		}
		if settings != nil {
			settings(&cfg)
		}
		s, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		g.stores[i] = s
		t.Cleanup(func() { s.Close() })
	}
	return g
}

// leader waits until one other than a given member can lead a full group.
func (g *trio) leader(t *testing.T, but int) (int, registry.Term) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		for i, s := range g.stores {
			if i == but || s.raft.State() != hraft.Leader || s.Voters() != 3 {
				continue
			}
			if term, _, err := s.Lead(t.Context(), storetest.Master(fmt.Sprint(i))); err == nil {
				return i, term
			}
		}
	}
	t.Fatal("no leader")
	return 0, nil
}

func TestALeaderWhoseDiskHangsGivesUp(t *testing.T) {
	g := newTrio(t, nil)
	first, term := g.leader(t, -1)
	for !<-g.stores[first].Leadership() {
	}
	disk := g.disks[first]
	disk.hang.Lock()
	held := true
	t.Cleanup(func() {
		if held {
			disk.hang.Unlock()
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	stuck := make(chan error, 1)
	go func() {
		_, err := term.Apply(ctx, []op.Operation{op.AdmitAgent{Info: storetest.Agent("x")}})
		stuck <- err
	}()
	begin := time.Now()
	select {
	case leads := <-g.stores[first].Leadership():
		if leads {
			t.Error("it says that it leads")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it doesn't give up")
	}
	second, _ := g.leader(t, first)
	t.Logf("another leader %v after the disk stopped", time.Since(begin))
	if second == first {
		t.Error("the same leads")
	}
	disk.hang.Unlock()
	held = false
	if err := <-stuck; !errors.Is(err, registry.ErrNotLeader) && !errors.Is(err, registry.ErrUnknownFate) {
		t.Errorf("the write that hung: %v", err)
	}
}
