package libprocess

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// MaxPIDLength bounds the text of a PID that arrives from a peer, in bytes.
// A host name has at most 253; real IDs are a prefix and a UUID or a number.
const MaxPIDLength = 512

// ErrBadPID is wrapped by every error of ParsePID and ParseAddress.
var ErrBadPID = errors.New("malformed PID")

// Address is where a node is reached: an IP address or a host name, and a port.
// It is comparable. IP addresses are kept in canonical form.
type Address struct {
	Host string
	Port uint16
}

// AddressFrom returns the Address of an IP address and port.
func AddressFrom(ap netip.AddrPort) Address {
	return Address{Host: ap.Addr().Unmap().String(), Port: ap.Port()}
}

// ParseAddress reads "host:port". An IPv6 address is in brackets.
func ParseAddress(s string) (Address, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return Address{}, fmt.Errorf("%w: address %q is not host:port", ErrBadPID, s)
	}
	p, err := strconv.ParseUint(port, 10, 16)
	if err != nil || p == 0 {
		return Address{}, fmt.Errorf("%w: %q is not a port", ErrBadPID, port)
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		host = ip.Unmap().String()
	} else if !isHostName(host) {
		return Address{}, fmt.Errorf("%w: %q is neither an IP address nor a host name", ErrBadPID, host)
	}
	return Address{Host: host, Port: uint16(p)}, nil
}

// IP returns the IP address, and false if the host is a name.
func (a Address) IP() (netip.Addr, bool) {
	ip, err := netip.ParseAddr(a.Host)
	return ip, err == nil
}

// Resolve returns the address with an IP address for its host name: peers name
// themselves by IP address, so whoever compares PIDs needs that. IPv4 is
// preferred, as Mesos knows no other.
func (a Address) Resolve(ctx context.Context) (Address, error) {
	if _, ok := a.IP(); ok {
		return a, nil
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", a.Host)
	if err != nil {
		return Address{}, fmt.Errorf("resolving %s: %w", a, err)
	}
	if len(ips) == 0 {
		return Address{}, fmt.Errorf("resolving %s: the name has no IP address", a)
	}
	best := ips[0]
	for _, ip := range ips {
		if ip.Unmap().Is4() {
			best = ip
			break
		}
	}
	return AddressFrom(netip.AddrPortFrom(best, a.Port)), nil
}

// IsZero says whether the address is unset.
func (a Address) IsZero() bool { return a == Address{} }

// String returns "host:port".
func (a Address) String() string {
	return net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port)))
}

// PID names a process: an ID on a node. It is comparable; the zero PID names
// nothing.
type PID struct {
	ID      string
	Address Address
}

// ParsePID reads "id@host:port", for example "slave(1)@10.0.0.7:5051".
func ParsePID(s string) (PID, error) {
	if len(s) > MaxPIDLength {
		return PID{}, fmt.Errorf("%w: longer than %d bytes", ErrBadPID, MaxPIDLength)
	}
	id, rest, ok := strings.Cut(s, "@")
	if !ok {
		return PID{}, fmt.Errorf("%w: %q has no '@'", ErrBadPID, s)
	}
	if !isVisible(id) {
		return PID{}, fmt.Errorf("%w: ID %q holds characters that are not printable ASCII", ErrBadPID, id)
	}
	addr, err := ParseAddress(rest)
	if err != nil {
		return PID{}, err
	}
	return PID{ID: id, Address: addr}, nil
}

// IsZero says whether the PID is unset.
func (p PID) IsZero() bool { return p == PID{} }

// String returns "id@host:port", and "" for the zero PID.
func (p PID) String() string {
	if p.IsZero() {
		return ""
	}
	return p.ID + "@" + p.Address.String()
}

// MarshalText and UnmarshalText make PIDs usable in JSON and in logs.
func (p PID) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (p *PID) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*p = PID{}
		return nil
	}
	parsed, err := ParsePID(string(text))
	if err != nil {
		return err
	}
	*p = parsed
	return nil
}

// isVisible reports whether s is safe inside a request line and a header:
// ASCII without spaces and controls.
func isVisible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// isHostName is deliberately wide (underscores do occur) and keeps out only
// what could not be a name at all.
func isHostName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return true
}
