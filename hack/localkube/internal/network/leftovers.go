package network

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/config"
)

// Leftovers lists what of ours is still on the host: links, routes, firewall rules.
func Leftovers(ctx context.Context, c config.Config) ([]string, error) {
	var found []string
	links, err := ours()
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		found = append(found, "link "+l.Attrs().Name)
	}
	routes, err := netlink.RouteList(nil, unix.AF_INET)
	if err != nil {
		return nil, fmt.Errorf("listing routes: %w", err)
	}
	for _, r := range routes {
		for _, p := range []netip.Prefix{c.NodeCIDR, c.PodCIDR, c.ServiceCIDR} {
			if dst, ok := prefix(r.Dst); ok && dst.Bits() > 0 && p.Overlaps(dst) {
				found = append(found, "route "+dst.String())
			}
		}
	}
	return append(found, rules(ctx, c)...), nil
}

// rules lists firewall rules of ours: our table, and rules about our addresses, which
// kube-proxy and CNI plugins make and which belong into nodes.
func rules(ctx context.Context, c config.Config) []string {
	var found []string
	for _, dump := range [][]string{{"nft", "list", "tables"}, {"iptables-save"}, {"iptables-legacy-save"}} {
		out, err := exec.CommandContext(ctx, dump[0], dump[1:]...).Output()
		if err != nil {
			continue // not installed, or no support in the kernel: then no rules either
		}
		for line := range strings.Lines(string(out)) {
			if isOurs(c, line) {
				found = append(found, dump[0]+": "+strings.TrimSpace(line))
			}
		}
	}
	return found
}

func isOurs(c config.Config, rule string) bool {
	for _, mark := range []string{config.Name, c.NodeCIDR.String(), c.PodCIDR.String()} {
		if strings.Contains(rule, mark) {
			return true
		}
	}
	return false
}
