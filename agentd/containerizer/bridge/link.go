package bridge

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/internal/failpoint"
)

// up makes the bridge, unless it is there.
func (b *Bridge) up() error {
	link, err := b.find()
	if err != nil {
		return err
	}
	if link == nil {
		if link, err = b.make(); err != nil {
			return fmt.Errorf("making the bridge %s: %w", b.cfg.Name, err)
		}
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("bringing the bridge %s up: %w", b.cfg.Name, err)
	}
	// Packets are passed on between interfaces, and from the node's loopback to containers.
	for _, name := range []string{"ip_forward", filepath.Join("conf", b.cfg.Name, "route_localnet")} {
		if err := os.WriteFile(filepath.Join("/proc/sys/net/ipv4", name), []byte("1"), 0); err != nil {
			return fmt.Errorf("bridge %s: %w", b.cfg.Name, err)
		}
	}
	return nil
}

// find looks for the bridge; nil if it isn't there.
func (b *Bridge) find() (netlink.Link, error) {
	link, err := netlink.LinkByName(b.cfg.Name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking for the bridge %s: %w", b.cfg.Name, err)
	}
	if link.Type() != "bridge" || link.Attrs().Alias != b.cfg.Dir {
		return nil, fmt.Errorf("the interface %s %w: give the agent another bridge and subnet", b.cfg.Name, ErrTaken)
	}
	return link, nil
}

func (b *Bridge) make() (netlink.Link, error) {
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, err
	}
	for _, r := range routes {
		if r.Dst == nil {
			continue
		}
		bits, _ := r.Dst.Mask.Size()
		if a, ok := netip.AddrFromSlice(r.Dst.IP.To4()); ok && bits > 0 && b.cfg.Subnet.Overlaps(netip.PrefixFrom(a, bits)) {
			return nil, fmt.Errorf("the subnet %s %w: there is a route to %s", b.cfg.Subnet, ErrTaken, r.Dst)
		}
	}
	if err := b.removeHalf(); err != nil {
		return nil, err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = b.half()
	link := &netlink.Bridge{LinkAttrs: attrs}
	if err := netlink.LinkAdd(link); err != nil {
		return nil, err
	}
	failpoint.Reach(failpoint.BridgeMade)
	err = netlink.LinkSetAlias(link, b.cfg.Dir)
	if err == nil {
		err = netlink.AddrAdd(link, b.address(b.cfg.gateway()))
	}
	if err == nil {
		err = netlink.LinkSetName(link, b.cfg.Name)
	}
	if err != nil {
		return nil, errors.Join(err, netlink.LinkDel(link))
	}
	return netlink.LinkByIndex(link.Index)
}

// half is the bridge's name until it is complete. An agent that is killed meanwhile knows it by
// that for its own: nobody else has the directory.
func (b *Bridge) half() string {
	sum := sha256.Sum256([]byte(b.cfg.Dir))
	return "mb" + hex.EncodeToString(sum[:6])
}

func (b *Bridge) removeHalf() error {
	if err := remove(b.half()); err != nil {
		return fmt.Errorf("removing a bridge that was never complete: %w", err)
	}
	return nil
}

// address is an address in the subnet.
func (b *Bridge) address(a netip.Addr) *netlink.Addr {
	return &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(b.cfg.Subnet.Bits(), 32)}}
}

// down removes the bridge and its table.
func (b *Bridge) down() error {
	if err := errors.Join(b.unpublish(), b.removeHalf()); err != nil {
		return err
	}
	link, err := b.find()
	if errors.Is(err, ErrTaken) || err == nil && link == nil {
		return nil // nothing of ours
	}
	if err != nil {
		return err
	}
	if err := netlink.LinkDel(link); err != nil {
		return fmt.Errorf("removing the bridge %s: %w", b.cfg.Name, err)
	}
	return nil
}

// hostEnd is the name of a container's interface on the node.
func hostEnd(id containerizer.ID) string {
	sum := sha256.Sum256([]byte(id))
	return "mv" + hex.EncodeToString(sum[:6])
}

// insideName is that of the interface in the container, as in Docker.
const insideName = "eth0"

// plug makes the container's namespace and connects it.
func (b *Bridge) plug(id containerizer.ID, l *lease) (err error) {
	if l.namespace, err = newNamespace(); err != nil {
		return fmt.Errorf("making a network namespace: %w", err)
	}
	link, err := b.find()
	if err != nil {
		return err
	}
	mac, err := net.ParseMAC(l.MAC)
	if err != nil {
		return err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MasterIndex = hostEnd(id), link.Attrs().Index
	veth := &netlink.Veth{
		LinkAttrs: attrs, PeerName: insideName, PeerHardwareAddr: mac, PeerNamespace: netlink.NsFd(l.namespace.Fd()),
	}
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("making the container's interface: %w", err)
	}
	failpoint.Reach(failpoint.BridgePlugged)
	if err := errors.Join(netlink.LinkSetHairpin(veth, true), netlink.LinkSetUp(veth)); err != nil {
		return fmt.Errorf("connecting the container's interface: %w", err)
	}
	if err := b.configure(l); err != nil {
		return fmt.Errorf("configuring the container's network: %w", err)
	}
	return nil
}

// configure sets addresses and routes inside.
func (b *Bridge) configure(l *lease) error {
	inside, err := netlink.NewHandleAt(netns.NsHandle(l.namespace.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer inside.Close()
	lo, err := inside.LinkByName("lo")
	if err != nil {
		return err
	}
	eth, err := inside.LinkByName(insideName)
	if err != nil {
		return err
	}
	if err := errors.Join(inside.LinkSetUp(lo), inside.AddrAdd(eth, b.address(l.Address)), inside.LinkSetUp(eth)); err != nil {
		return err
	}
	return inside.RouteAdd(&netlink.Route{LinkIndex: eth.Attrs().Index, Gw: b.cfg.gateway().AsSlice()})
}

// unplug removes the container's interface at once: the kernel does so some time after its
// namespace is gone.
func unplug(id containerizer.ID) error {
	if err := remove(hostEnd(id)); err != nil {
		return fmt.Errorf("removing a container's interface: %w", err)
	}
	return nil
}

// remove removes an interface, if it is there.
func remove(name string) error {
	link, err := netlink.LinkByName(name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil
	}
	if err == nil {
		err = netlink.LinkDel(link)
	}
	if errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

// newNamespace makes a network namespace, which lasts as long as the file or a process in it.
func newNamespace() (file *os.File, err error) {
	done := make(chan struct{})
	go onThread(func() {
		defer close(done)
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			file, err = os.Open("/proc/self/task/" + strconv.Itoa(unix.Gettid()) + "/ns/net")
		}
	})
	<-done
	return file, err
}

// onThread runs f on a thread that ends with the calling goroutine. The process's first thread
// would not, and is what /proc/self tells of: that one waits while another is found.
func onThread(f func()) {
	runtime.LockOSThread() // and never unlock
	if unix.Gettid() != unix.Getpid() {
		f()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		onThread(f)
	}()
	<-done
	runtime.UnlockOSThread()
}
