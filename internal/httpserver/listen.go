package httpserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/mesos-operator/mesos-operator/internal/libprocess"
)

// Endpoint is where a daemon listens, and where it is reached.
type Endpoint struct {
	// IP and Port are where it listens (--ip, --port). An unset IP stands for
	// all interfaces, port 0 for any.
	IP   netip.Addr
	Port uint16
	// AdvertiseIP and AdvertisePort are what peers and clients are told
	// (--advertise_ip, --advertise_port), if it isn't the same.
	AdvertiseIP   netip.Addr
	AdvertisePort uint16
}

// Listen opens the port and returns the address by which the daemon is reached.
// If it listens on all interfaces, that is an IP address of the host's name.
func Listen(ctx context.Context, e Endpoint) (net.Listener, libprocess.Address, error) {
	bind := net.JoinHostPort("", fmt.Sprint(e.Port))
	if e.IP.IsValid() {
		bind = netip.AddrPortFrom(e.IP, e.Port).String()
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", bind)
	if err != nil {
		return nil, libprocess.Address{}, fmt.Errorf("listening: %w", err)
	}
	address, err := e.advertised(ctx, listener.Addr().(*net.TCPAddr).AddrPort())
	if err != nil {
		listener.Close()
		return nil, libprocess.Address{}, fmt.Errorf("listening on %s: %w", bind, err)
	}
	return listener, address, nil
}

func (e Endpoint) advertised(ctx context.Context, bound netip.AddrPort) (libprocess.Address, error) {
	ip, port := bound.Addr().Unmap(), bound.Port()
	if e.AdvertisePort != 0 {
		port = e.AdvertisePort
	}
	switch {
	case e.AdvertiseIP.IsValid():
		ip = e.AdvertiseIP
	case ip.IsUnspecified():
		var err error
		if ip, err = hostIP(ctx); err != nil {
			return libprocess.Address{}, fmt.Errorf("finding an IP address to be reached at (--advertise_ip gives one): %w", err)
		}
	}
	return libprocess.AddressFrom(netip.AddrPortFrom(ip, port)), nil
}

// hostIP prefers IPv4, the only kind that every Mesos peer understands, and
// addresses that others can reach.
func hostIP(ctx context.Context) (netip.Addr, error) {
	name, err := os.Hostname()
	if err != nil {
		return netip.Addr{}, err
	}
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	if err != nil {
		return netip.Addr{}, err
	}
	if best, ok := bestIP(all); ok {
		return best, nil
	}
	return netip.Addr{}, errors.New("the host's name has no IP address")
}

func bestIP(all []netip.Addr) (best netip.Addr, ok bool) {
	rank := func(ip netip.Addr) (n int) {
		if ip.Is4() {
			n++
		}
		if !ip.IsLoopback() && !ip.IsLinkLocalUnicast() {
			n += 2
		}
		return n
	}
	for _, ip := range all {
		if ip = ip.Unmap(); !ok || rank(ip) > rank(best) {
			best, ok = ip, true
		}
	}
	return best, ok
}
