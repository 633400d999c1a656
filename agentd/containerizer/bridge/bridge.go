// Package bridge is a network of the agent's own for containers of type DOCKER: a bridge on
// the node, on which each container has an address. Containers reach the world by the node's
// address, and are reached by ports of it. The isolator docker/container is the only caller.
//
// # What it makes on the node
//
//	an interface <Config.Name>, whose alias is Config.Dir   from the first container to the last,
//	                                                        as mb<hash> until it is complete
//	an interface mv<hash> for each container                that the kernel removes with its namespace
//	a table of nftables "mesos-<Config.Name>"               made anew with each change, in one step
//	/proc/sys/net/ipv4/ip_forward                           1, and left so
//	<Config.Dir>/<container>                                its address and ports, before anything else
//
// The files are what a restarted agent knows, so that all else can be found and removed, whenever
// the agent was killed. Two agents on a machine need a name and a subnet each: the alias
// says whose a bridge is.
package bridge

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/docker"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/docker/container"
	"github.com/mesos-operator/mesos-operator/internal/atomicfile"
	"github.com/mesos-operator/mesos-operator/internal/failpoint"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrFull says that the subnet has no address left.
	ErrFull = errors.New("no address is left in the subnet")
	// ErrTaken says that the bridge or its subnet is somebody else's.
	ErrTaken = errors.New("is somebody else's")
	// ErrPort says that another container has a port of the node.
	ErrPort = errors.New("port is taken by another container")
)

// Config is what the agent's flags say.
type Config struct {
	// Name is the bridge's interface (--docker_bridge).
	Name string
	// Subnet has the addresses of containers (--docker_bridge_subnet). The first is the bridge's.
	Subnet netip.Prefix
	// Dir is where it is kept who has which address.
	Dir string
}

// maxName is the longest name of an interface (IFNAMSIZ, with a null byte).
const maxName = 15

// Validate tells what is wrong with a configuration.
func (c Config) Validate() error {
	var errs []error
	if c.Name == "" || len(c.Name) > maxName || filepath.Base(c.Name) != c.Name {
		errs = append(errs, fmt.Errorf("bridge %q: want the name of an interface, with at most %d characters", c.Name, maxName))
	}
	if !c.Subnet.IsValid() || !c.Subnet.Addr().Is4() || c.Subnet.Bits() > 29 || c.Subnet.Masked() != c.Subnet {
		errs = append(errs, fmt.Errorf("subnet %s of the bridge: want an IPv4 subnet such as 172.29.0.0/16", c.Subnet))
	}
	return errors.Join(errs...)
}

// Bridge implements container.Bridge. Its methods may be called from any goroutine.
type Bridge struct {
	cfg Config

	mu     sync.Mutex
	leases map[containerizer.ID]*lease
}

// lease is what a container has.
type lease struct {
	Address netip.Addr    `json:"address"`
	MAC     string        `json:"mac"`
	Ports   []docker.Port `json:"ports,omitempty"`
	// namespace keeps the container's network namespace; nil after a restart of the agent.
	namespace *os.File
}

// New returns the bridge with the containers of the agent's earlier life. Nothing is made before
// the first container.
func New(cfg Config) (*Bridge, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	b := &Bridge{cfg: cfg, leases: map[containerizer.ID]*lease{}}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("bridge %s: %w", cfg.Name, err)
	}
	entries, err := os.ReadDir(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("bridge %s: %w", cfg.Name, err)
	}
	for _, e := range entries {
		if atomicfile.IsTemporary(e.Name()) { // of an agent that was killed, and nobody's address
			if err := os.Remove(filepath.Join(cfg.Dir, e.Name())); err != nil {
				return nil, fmt.Errorf("bridge %s: %w", cfg.Name, err)
			}
			continue
		}
		data, err := os.ReadFile(filepath.Join(cfg.Dir, e.Name()))
		l := &lease{}
		if err != nil || json.Unmarshal(data, l) != nil || !cfg.Subnet.Contains(l.Address) {
			continue // of another subnet, or half written: its container has ended with the machine
		}
		b.leases[containerizer.ID(e.Name())] = l
	}
	return b, nil
}

// gateway is the bridge's own address.
func (c Config) gateway() netip.Addr { return c.Subnet.Addr().Next() }

// Connect implements container.Bridge.
func (b *Bridge) Connect(id containerizer.ID, ports []docker.Port) (container.Connection, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l, err := b.take(id, ports)
	if err != nil {
		return container.Connection{}, err
	}
	failpoint.Reach(failpoint.BridgeLeased)
	for _, step := range []func() error{b.up, func() error { return b.plug(id, l) }, b.publish} {
		if err := step(); err != nil {
			return container.Connection{}, errors.Join(err, b.release(id))
		}
	}
	failpoint.Reach(failpoint.BridgePublished)
	return b.connection(l), nil
}

// take finds an address, and keeps who has it.
func (b *Bridge) take(id containerizer.ID, ports []docker.Port) (*lease, error) {
	used := map[netip.Addr]bool{b.cfg.gateway(): true}
	for other, l := range b.leases {
		used[l.Address] = true
		for _, p := range ports {
			if slices.ContainsFunc(l.Ports, func(q docker.Port) bool { return q.Host == p.Host && q.Protocol == p.Protocol }) {
				return nil, fmt.Errorf("%s %d: %w, %s", p.Protocol, p.Host, ErrPort, other)
			}
		}
	}
	a := b.cfg.gateway()
	for used[a] {
		a = a.Next()
	}
	if next := a.Next(); !b.cfg.Subnet.Contains(next) { // the last is for broadcasts
		return nil, fmt.Errorf("bridge %s, %s: %w", b.cfg.Name, b.cfg.Subnet, ErrFull)
	}
	octets := a.As4()
	l := &lease{Address: a, MAC: fmt.Sprintf("02:42:%02x:%02x:%02x:%02x", octets[0], octets[1], octets[2], octets[3]), Ports: ports}
	data, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	if err := atomicfile.Write(filepath.Join(b.cfg.Dir, string(id)), data, 0o600); err != nil {
		return nil, fmt.Errorf("keeping a container's address: %w", err)
	}
	b.leases[id] = l
	return l, nil
}

func (b *Bridge) connection(l *lease) container.Connection {
	c := container.Connection{
		Address: l.Address.String(), Gateway: b.cfg.gateway().String(), Bits: b.cfg.Subnet.Bits(), MAC: l.MAC,
	}
	if l.namespace != nil {
		c.Namespace = fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), l.namespace.Fd())
	}
	return c
}

// Find implements container.Bridge.
func (b *Bridge) Find(id containerizer.ID) container.Connection {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l := b.leases[id]; l != nil {
		return b.connection(l)
	}
	return container.Connection{}
}

// Disconnect implements container.Bridge.
func (b *Bridge) Disconnect(id containerizer.ID) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.release(id)
}

// release removes what a container has; its file is the last. With the last container the bridge goes.
func (b *Bridge) release(id containerizer.ID) error {
	l := b.leases[id]
	if l == nil {
		return nil
	}
	if l.namespace != nil {
		l.namespace.Close()
	}
	delete(b.leases, id)
	step := b.publish
	if len(b.leases) == 0 {
		step = b.down
	}
	if err := errors.Join(unplug(id), step()); err != nil {
		l.namespace = nil
		b.leases[id] = l // the next attempt finds it
		return err
	}
	failpoint.Reach(failpoint.BridgeUnplugged)
	if err := os.Remove(filepath.Join(b.cfg.Dir, string(id))); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("giving a container's address back: %w", err)
	}
	return nil
}

// containers lists who has something, in order.
func (b *Bridge) containers() []containerizer.ID { return slices.Sorted(maps.Keys(b.leases)) }
