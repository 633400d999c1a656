// Package network connects a localkube to the host: a bridge that the host and the
// nodes share, a link for each node, routes to pods and services, and masquerading
// for what leaves the machine. Everything it makes is found by a name or an address
// of the configuration, so that it can be removed without a record.
package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/config"
)

// Bridge is the name of the bridge; linkPrefix begins the names of the nodes' links.
// Interface names hold 15 bytes at most.
const (
	Bridge     = "lk-br0"
	linkPrefix = "lk-"
)

// NodeLink is the name of a node's link inside of the node.
const NodeLink = "eth0"

// Up makes the bridge, gives the host its address, and masquerades.
func Up(ctx context.Context, c config.Config) error {
	if err := checkFree(c); err != nil {
		return err
	}
	br, err := ensureBridge()
	if err != nil {
		return fmt.Errorf("making bridge %s: %w", Bridge, err)
	}
	addr := &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(c.HostAddr(), c.NodeCIDR.Bits()))}
	if err := netlink.AddrReplace(br, addr); err != nil {
		return fmt.Errorf("giving %s its address: %w", Bridge, err)
	}
	if err := netlink.LinkSetUp(br); err != nil {
		return fmt.Errorf("setting %s up: %w", Bridge, err)
	}
	return masquerade(ctx, c)
}

// checkFree refuses to take over an address range that the machine uses otherwise.
func checkFree(c config.Config) error {
	routes, err := netlink.RouteList(nil, unix.AF_INET)
	if err != nil {
		return fmt.Errorf("listing routes: %w", err)
	}
	br, _ := netlink.LinkByName(Bridge)
	for _, r := range routes {
		dst, ok := prefix(r.Dst)
		if !ok || dst.Bits() == 0 || (br != nil && r.LinkIndex == br.Attrs().Index) {
			continue
		}
		for _, want := range []netip.Prefix{c.NodeCIDR, c.PodCIDR, c.ServiceCIDR} {
			if dst.Overlaps(want) {
				return fmt.Errorf("address range %s is in use: the machine has a route to %s", want, dst)
			}
		}
	}
	return nil
}

func ensureBridge() (netlink.Link, error) {
	br := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: Bridge}}
	if err := netlink.LinkAdd(br); err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, err
	}
	return netlink.LinkByName(Bridge)
}

// masquerade lets nodes and pods reach what the host reaches. The table is ours
// alone and goes as a whole; the host's own rules are not touched.
func masquerade(ctx context.Context, c config.Config) error {
	rules := fmt.Sprintf(`
add table ip %[1]s
delete table ip %[1]s
table ip %[1]s {
	chain postrouting {
		type nat hook postrouting priority srcnat;
		ip saddr { %[2]s, %[3]s } ip daddr != { %[2]s, %[3]s, %[4]s } oifname != "%[5]s" masquerade
	}
}
`, config.Name, c.NodeCIDR, c.PodCIDR, c.ServiceCIDR, Bridge)
	return nft(ctx, rules)
}

func nft(ctx context.Context, rules string) error {
	cmd := exec.CommandContext(ctx, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// Connect links the node whose pid 1 is given (a pid of the host) to the bridge and
// routes its pods' range to it; the first node also gets the services' range.
func Connect(c config.Config, n config.Node, pid int) error {
	br, err := netlink.LinkByName(Bridge)
	if err != nil {
		return fmt.Errorf("connecting %s: %w", n.Name, err)
	}
	name := linkPrefix + n.Name
	if old, err := netlink.LinkByName(name); err == nil {
		_ = netlink.LinkDel(old) // of a node that has died
	}
	veth := &netlink.Veth{
		LinkAttrs:     netlink.LinkAttrs{Name: name, MasterIndex: br.Attrs().Index, Flags: net.FlagUp},
		PeerName:      NodeLink,
		PeerNamespace: netlink.NsPid(pid),
	}
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("connecting %s: %w", n.Name, err)
	}
	ranges := []netip.Prefix{n.PodCIDR}
	if n.Index == 1 {
		ranges = append(ranges, c.ServiceCIDR)
	}
	for _, r := range ranges {
		route := &netlink.Route{Dst: ipNet(r), Gw: n.Addr.AsSlice(), LinkIndex: br.Attrs().Index}
		if err := netlink.RouteReplace(route); err != nil {
			return fmt.Errorf("routing %s to %s: %w", r, n.Name, err)
		}
	}
	return nil
}

// Inside sets up the node's end of its link. It runs in the node's namespaces.
func Inside(c config.Config, n config.Node) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	link, err := netlink.LinkByName(NodeLink)
	if err != nil {
		return err
	}
	addr := &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(n.Addr, c.NodeCIDR.Bits()))}
	if err := netlink.AddrReplace(link, addr); err != nil {
		return err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return err
	}
	return netlink.RouteReplace(&netlink.Route{Gw: c.HostAddr().AsSlice(), LinkIndex: link.Attrs().Index})
}

// Down removes all that Up and Connect made. Routes go with the bridge.
func Down(ctx context.Context) error {
	links, err := ours()
	if err != nil {
		return err
	}
	var errs []error
	for _, l := range links {
		// A veth may be gone already, with the node at its other end.
		if err := netlink.LinkDel(l); err != nil && !errors.Is(err, unix.ENODEV) {
			errs = append(errs, fmt.Errorf("removing link %s: %w", l.Attrs().Name, err))
		}
	}
	if _, err := exec.LookPath("nft"); err == nil {
		errs = append(errs, nft(ctx, fmt.Sprintf("add table ip %[1]s\ndelete table ip %[1]s\n", config.Name)))
	}
	return errors.Join(errs...)
}

func ours() ([]netlink.Link, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("listing links: %w", err)
	}
	var mine []netlink.Link
	for _, l := range links {
		if strings.HasPrefix(l.Attrs().Name, linkPrefix) {
			mine = append(mine, l)
		}
	}
	return mine, nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func prefix(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	addr, ok := netip.AddrFromSlice(n.IP)
	ones, _ := n.Mask.Size()
	return netip.PrefixFrom(addr.Unmap(), ones), ok
}

// Forwarding is the sysctl that lets the host pass packets on between nodes, pods
// and the world.
const Forwarding = "/proc/sys/net/ipv4/ip_forward"

// EnableForwarding sets it; the caller keeps the old value.
func EnableForwarding() error { return os.WriteFile(Forwarding, []byte("1"), 0) }
