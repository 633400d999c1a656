package httpserver

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"time"
)

// discoveryTimeout bounds how long a command may look for an address.
const discoveryTimeout = 10 * time.Second

// DiscoverIP runs a command by the shell, --ip_discovery_command of both daemons,
// and returns the IP address that it prints.
func DiscoverIP(ctx context.Context, command string) (netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, discoveryTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, "sh", "-c", command).Output()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("running %q: %w", command, err)
	}
	ip, err := netip.ParseAddr(strings.TrimSpace(string(out)))
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%q printed no IP address: %w", command, err)
	}
	return ip, nil
}
