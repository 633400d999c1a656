package app

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/httpserver"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
	"github.com/mesos-operator/mesos-operator/internal/version"
	"github.com/mesos-operator/mesos-operator/masterd/httpapi"
)

// lookupTimeout bounds questions to DNS and to the discovery command.
const lookupTimeout = 10 * time.Second

// endpoint is where to listen.
func (f *Flags) endpoint(ctx context.Context) (httpserver.Endpoint, error) {
	e := httpserver.Endpoint{Port: f.Port}
	if f.IP != nil {
		e.IP = *f.IP
	}
	if f.IPDiscoveryCommand != nil {
		ip, err := httpserver.DiscoverIP(ctx, *f.IPDiscoveryCommand)
		if err != nil {
			return e, fmt.Errorf("flag --ip_discovery_command: %w", err)
		}
		e.IP = ip
	}
	if f.AdvertiseIP != nil {
		e.AdvertiseIP = *f.AdvertiseIP
	}
	if f.AdvertisePort != nil {
		e.AdvertisePort = *f.AdvertisePort
	}
	return e, nil
}

// masterInfo is what this master tells of itself, but for its ID: every term
// has one of its own, because IDs that a term assigns begin with it.
func (f *Flags) masterInfo(ctx context.Context, address libprocess.Address) (*mesos.MasterInfo, error) {
	pid := libprocess.PID{ID: httpapi.Process, Address: address}
	info := &mesos.MasterInfo{
		Id:       new(""),
		Ip:       new(uint32(0)),
		Port:     new(uint32(address.Port)),
		Pid:      new(pid.String()),
		Hostname: new(f.hostname(ctx, address)),
		Version:  new(version.Mesos),
	}
	info.Address = &mesos.Address{Hostname: info.Hostname, Ip: new(address.Host), Port: new(int32(address.Port))}
	if ip, ok := address.IP(); ok && ip.Is4() {
		b := ip.As4()
		info.Ip = new(binary.LittleEndian.Uint32(b[:])) // in network order, as inet_addr has it
	}
	for _, c := range []mesos.MasterInfo_Capability_Type{
		mesos.MasterInfo_Capability_AGENT_UPDATE,
		mesos.MasterInfo_Capability_AGENT_DRAINING,
		mesos.MasterInfo_Capability_QUOTA_V2,
	} {
		info.Capabilities = append(info.Capabilities, &mesos.MasterInfo_Capability{Type: c.Enum()})
	}
	if f.Domain != nil {
		info.Domain = &mesos.DomainInfo{}
		if err := codec.Unmarshal(codec.JSON, *f.Domain, info.Domain); err != nil {
			return nil, fmt.Errorf("flag --domain: %w", err)
		}
	}
	return info, nil
}

// hostname is the name of the address, or the address where it has none.
func (f *Flags) hostname(ctx context.Context, address libprocess.Address) string {
	if f.Hostname != nil {
		return *f.Hostname
	}
	if !f.HostnameLookup {
		return address.Host
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	names, err := net.DefaultResolver.LookupAddr(ctx, address.Host)
	if err != nil || len(names) == 0 {
		return address.Host
	}
	return strings.TrimSuffix(names[0], ".")
}

// withNewID is a master of a new term.
func withNewID(info *mesos.MasterInfo) *mesos.MasterInfo {
	c := proto.CloneOf(info)
	c.Id = new(uuid.NewString())
	return c
}
