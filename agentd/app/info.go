package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/flags"
	"github.com/mesos-operator/mesos-operator/internal/httpserver"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// endpoint is where to listen, and where the agent is reached.
func (f *Flags) endpoint(ctx context.Context) (httpserver.Endpoint, error) {
	e := httpserver.Endpoint{Port: f.Port}
	if f.IP != nil {
		e.IP = *f.IP
	}
	if f.IPDiscovery != nil {
		ip, err := httpserver.DiscoverIP(ctx, *f.IPDiscovery)
		if err != nil {
			return e, fmt.Errorf("--ip_discovery_command: %w", err)
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

// agentInfo describes this agent to masters.
func (f *Flags) agentInfo(ctx context.Context, address libprocess.Address) (*mesos.AgentInfo, error) {
	has, err := f.offers()
	if err != nil {
		return nil, err
	}
	info := &mesos.AgentInfo{Resources: has.Proto(), Port: new(int32(address.Port))}
	if err := checkDisks(info.Resources); err != nil {
		return nil, err
	}
	if f.Attributes != nil {
		if info.Attributes, err = resources.ParseAttributes(*f.Attributes); err != nil {
			return nil, fmt.Errorf("--attributes: %w", err)
		}
	}
	if f.Domain != nil && len(*f.Domain) > 0 { // "" is none: what a pod is told of a node without one
		info.Domain = &mesos.DomainInfo{}
		if err := codec.Unmarshal(codec.JSON, *f.Domain, info.Domain); err != nil {
			return nil, fmt.Errorf("--domain: %w", err)
		}
	}
	name, err := f.hostname(ctx, address)
	info.Hostname = &name
	return info, err
}

// domainType is JSON, or nothing: a template that is the same for all machines can't leave
// a flag away on those without a region.
var domainType = func() flags.Type[json.RawMessage] {
	t := flags.JSONType
	parse := t.Parse
	t.Parse = func(text string) (json.RawMessage, error) {
		if text == "" {
			return nil, nil
		}
		return parse(text)
	}
	return t
}()

// hostname is what the agent calls its machine.
func (f *Flags) hostname(ctx context.Context, address libprocess.Address) (string, error) {
	switch {
	case f.Hostname != nil:
		return *f.Hostname, nil
	case !f.HostnameLookup:
		return address.Host, nil
	}
	if name := lookupName(ctx, address.Host); name != "" {
		return name, nil
	}
	name, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("finding the host's name (--hostname sets it): %w", err)
	}
	return name, nil
}

// lookupName is the name of an IP address, "" if it has none.
func lookupName(ctx context.Context, ip string) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	names, err := net.DefaultResolver.LookupAddr(ctx, ip)
	if err != nil || len(names) == 0 {
		return ""
	}
	return strings.TrimSuffix(names[0], ".")
}

// masterNames look up masters' names without keeping anybody waiting.
type masterNames struct {
	mu    sync.Mutex
	names map[string]string // by PID; "" while it is looked up
}

func newMasterNames() *masterNames { return &masterNames{names: map[string]string{}} }

// of returns the name of a master's host once it is known.
func (m *masterNames) of(pid string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if name, asked := m.names[pid]; asked {
		return name
	}
	p, err := libprocess.ParsePID(pid)
	if err != nil {
		return ""
	}
	clear(m.names) // there is one leader at a time
	m.names[pid] = ""
	go func() {
		name := lookupName(context.Background(), p.Address.Host)
		m.mu.Lock()
		defer m.mu.Unlock()
		if _, still := m.names[pid]; still {
			m.names[pid] = name
		}
	}()
	return ""
}

// variables reads --executor_environment_variables.
func (f *Flags) variables() (map[string]string, error) {
	if f.ExecutorEnvironment == nil {
		return nil, nil
	}
	out := map[string]string{}
	if err := json.Unmarshal(*f.ExecutorEnvironment, &out); err != nil {
		return nil, errors.New("--executor_environment_variables: want an object of strings")
	}
	return out, nil
}

// defaultContainer reads --default_container_info.
func (f *Flags) defaultContainer() (*mesos.ContainerInfo, error) {
	if f.DefaultContainer == nil {
		return nil, nil
	}
	out := &mesos.ContainerInfo{}
	if err := codec.Unmarshal(codec.JSON, *f.DefaultContainer, out); err != nil {
		return nil, fmt.Errorf("--default_container_info: %w", err)
	}
	return out, nil
}

// bootID identifies the boot of the machine; "" if it can't be told.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}
