package bridge

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/docker"
)

// Registers of the kernel's rules, of which these are 16 bytes each.
const (
	first  = 1
	second = 2
)

// publish makes the table anew, in one step: what goes out of the subnet gets the node's address, and
// ports of the node lead to containers.
func (b *Bridge) publish() error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("bridge %s: %w", b.cfg.Name, err)
	}
	t := b.table()
	c.AddTable(t) // or there may be none to delete
	c.DelTable(t)
	c.AddTable(t)
	chain := func(name string, hook *nftables.ChainHook, priority *nftables.ChainPriority) *nftables.Chain {
		return c.AddChain(&nftables.Chain{Name: name, Table: t, Type: nftables.ChainTypeNAT, Hooknum: hook, Priority: priority})
	}
	out := chain("postrouting", nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource)
	for _, rule := range b.masquerades() {
		c.AddRule(&nftables.Rule{Table: t, Chain: out, Exprs: append(rule, &expr.Counter{}, &expr.Masq{})})
	}
	for _, in := range []*nftables.Chain{
		chain("prerouting", nftables.ChainHookPrerouting, nftables.ChainPriorityNATDest),
		chain("output", nftables.ChainHookOutput, nftables.ChainPriorityNATDest),
	} {
		for _, id := range b.containers() {
			for _, p := range b.leases[id].Ports {
				c.AddRule(&nftables.Rule{Table: t, Chain: in, Exprs: redirect(p, b.leases[id].Address), UserData: []byte(id)})
			}
		}
	}
	if err := c.Flush(); err != nil {
		return fmt.Errorf("bridge %s: setting the rules of nftables: %w", b.cfg.Name, err)
	}
	return nil
}

// unpublish removes the table.
func (b *Bridge) unpublish() error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("bridge %s: %w", b.cfg.Name, err)
	}
	c.DelTable(b.table())
	if err := c.Flush(); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("bridge %s: removing the rules of nftables: %w", b.cfg.Name, err)
	}
	return nil
}

func (b *Bridge) table() *nftables.Table {
	return &nftables.Table{Family: nftables.TableFamilyIPv4, Name: "mesos-" + b.cfg.Name}
}

// masquerades are the packets that get the node's address: those of containers to elsewhere; those of
// the node's loopback to containers, which could not answer; and those of containers that come back by
// a port of the node, whose answers would not.
func (b *Bridge) masquerades() [][]expr.Any {
	subnet, loopback := b.cfg.Subnet, netip.MustParsePrefix("127.0.0.0/8")
	const destinationChanged = 1 << 5 // IPS_DST_NAT
	return [][]expr.Any{
		append(from(subnet), out(b.cfg.Name, expr.CmpOpNeq)...),
		append(from(loopback), out(b.cfg.Name, expr.CmpOpEq)...),
		append(append(from(subnet), out(b.cfg.Name, expr.CmpOpEq)...),
			&expr.Ct{Register: first, Key: expr.CtKeySTATUS},
			&expr.Bitwise{SourceRegister: first, DestRegister: first, Len: 4,
				Mask: binaryutil.NativeEndian.PutUint32(destinationChanged), Xor: binaryutil.NativeEndian.PutUint32(0)},
			&expr.Cmp{Op: expr.CmpOpNeq, Register: first, Data: binaryutil.NativeEndian.PutUint32(0)},
		),
	}
}

// from matches the source's address.
func from(p netip.Prefix) []expr.Any {
	const offset, length = 12, 4 // of the source in the header of IPv4
	mask := make([]byte, length)
	binary.BigEndian.PutUint32(mask, ^uint32(0)<<(32-p.Bits()))
	return []expr.Any{
		&expr.Payload{DestRegister: first, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: length},
		&expr.Bitwise{SourceRegister: first, DestRegister: first, Len: length, Mask: mask, Xor: make([]byte, length)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: first, Data: p.Addr().AsSlice()},
	}
}

// out compares the interface by which a packet leaves.
func out(name string, op expr.CmpOp) []expr.Any {
	padded := make([]byte, unix.IFNAMSIZ)
	copy(padded, name)
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: first},
		&expr.Cmp{Op: op, Register: first, Data: padded},
	}
}

// redirect leads a port of any of the node's addresses to a container.
func redirect(p docker.Port, to netip.Addr) []expr.Any {
	protocol := byte(unix.IPPROTO_TCP)
	if p.Protocol == "udp" {
		protocol = unix.IPPROTO_UDP
	}
	const offset, length = 2, 2 // of the destination in the headers of TCP and UDP
	return []expr.Any{
		&expr.Fib{Register: first, FlagDADDR: true, ResultADDRTYPE: true},
		&expr.Cmp{Op: expr.CmpOpEq, Register: first, Data: binaryutil.NativeEndian.PutUint32(unix.RTN_LOCAL)},
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: first},
		&expr.Cmp{Op: expr.CmpOpEq, Register: first, Data: []byte{protocol}},
		&expr.Payload{DestRegister: first, Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: length},
		&expr.Cmp{Op: expr.CmpOpEq, Register: first, Data: binaryutil.BigEndian.PutUint16(p.Host)},
		&expr.Immediate{Register: first, Data: to.AsSlice()},
		&expr.Immediate{Register: second, Data: binaryutil.BigEndian.PutUint16(p.Container)},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: first, RegProtoMin: second},
	}
}
