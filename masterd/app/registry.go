package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-logr/logr"

	"github.com/mesos-operator/mesos-operator/internal/flags"
	"github.com/mesos-operator/mesos-operator/internal/metrics"
	"github.com/mesos-operator/mesos-operator/masterd/election"
	"github.com/mesos-operator/mesos-operator/masterd/registry/memory"
	"github.com/mesos-operator/mesos-operator/masterd/registry/raft"
)

// RegistryFlags say where the registry is kept, and how the leader is elected.
type RegistryFlags struct {
	Registry             string
	RegistryStrict       bool
	RegistryFetchTimeout time.Duration
	RegistryStoreTimeout time.Duration
	RaftID               *string
	RaftAddress          *string
	RaftPeers            *string // the list, or "file://" and where it is
	RaftBind             *string
	RaftCertFile         *string
	RaftKeyFile          *string
	RaftCAFile           *string
}

// The values of --registry.
const (
	registryMemory     = "in_memory"
	registryRaft       = "raft"
	registryReplicated = "replicated_log" // what Mesos's default is called: an alias of raft
)

func (f *Flags) defineRegistry() {
	s := f.Set
	flags.Var(s, &f.Registry, "registry", registryRaft,
		flags.OneOf(registryRaft, registryReplicated, registryMemory),
		"Where agents, quotas and weights are kept; replicated_log means raft.")
	s.OptionalString(&f.RaftID, "raft_id", "ID of this master among --raft_peers; default: --raft_address.")
	s.OptionalString(&f.RaftAddress, "raft_address", "host:port by which the other masters reach this one for the registry.")
	s.OptionalString(&f.RaftBind, "raft_bind",
		"host:port to listen on for the registry; default: --raft_address if that is an IP address, else its port.")
	flags.Optional(s, &f.RaftPeers, "raft_peers", flags.PathType,
		"All masters, this one included, as [id=]host:port separated by commas. The first one begins the group. "+
			"With file:///path the list is read from there, and again while the master runs: the group follows it.")
	flags.Optional(s, &f.RaftCertFile, "raft_tls_cert_file", flags.PathType,
		"Certificate of this master for the connections among masters, which are TLS then; read again when it changes.")
	flags.Optional(s, &f.RaftKeyFile, "raft_tls_key_file", flags.PathType, "Key of --raft_tls_cert_file.")
	flags.Optional(s, &f.RaftCAFile, "raft_tls_ca_file", flags.PathType,
		"Authorities that the certificates of masters come from; no other master gets a connection.")
	s.Duration(&f.RegistryFetchTimeout, "registry_fetch_timeout", time.Minute,
		"How long a new leader may take to read the registry.")
	s.Duration(&f.RegistryStoreTimeout, "registry_store_timeout", 20*time.Second,
		"How long a write of the registry may take before the leader gives up and ends.")
	s.Bool(&f.RegistryStrict, "registry_strict", false, "Must be false, as in Mesos.")
	s.Duration(&f.RegistryGCInterval, "registry_gc_interval", 15*time.Minute,
		"Time between two sweeps of unreachable and gone agents.")
	s.Duration(&f.RegistryMaxAgentAge, "registry_max_agent_age", 14*24*time.Hour,
		"How long an unreachable or gone agent is remembered.")
	s.Int(&f.RegistryMaxAgentCount, "registry_max_agent_count", 100*1024,
		"How many unreachable and how many gone agents are remembered.")
}

func (a *App) openRegistry() error {
	if a.flags.Registry == registryMemory {
		a.store, a.elector = memory.New(), election.NewStandalone(a.self)
		return nil
	}
	cfg, err := a.flags.raft(a.log)
	if err != nil {
		return err
	}
	store, err := raft.Open(cfg)
	if err != nil {
		return err
	}
	a.store, a.elector = store, election.NewConsensus(store, a.log.WithName("election"))
	a.metrics.Pull(func(_ context.Context, emit metrics.Emit) {
		emit(metrics.Gauge, "registrar/log/ensemble_size", float64(store.Voters()))
		recovered := 0.0
		if store.Leader() != nil {
			recovered = 1
		}
		emit(metrics.Gauge, "registrar/log/recovered", recovered)
	})
	return nil
}

// validateRegistry reports what is wrong with the flags of the registry.
func (f *Flags) validateRegistry() []error {
	var errs []error
	if f.RegistryStrict {
		errs = append(errs, errors.New("flag --registry_strict must be false: Mesos removed the mode"))
	}
	if f.RegistryFetchTimeout <= 0 || f.RegistryStoreTimeout <= 0 {
		errs = append(errs, errors.New("flags --registry_fetch_timeout and --registry_store_timeout must be positive"))
	}
	if f.RaftPeers != nil && f.RaftAddress == nil {
		errs = append(errs, errors.New("flag --raft_peers needs --raft_address"))
	}
	return errs
}

// raft are the settings of the raft registry.
func (f *Flags) raft(log logr.Logger) (raft.Config, error) {
	c := raft.Config{
		Dir:     f.raftDir(),
		ID:      value(f.RaftID),
		Address: value(f.RaftAddress),
		Bind:    value(f.RaftBind),
		Log:     log,
	}
	if f.RaftCertFile != nil || f.RaftKeyFile != nil || f.RaftCAFile != nil {
		c.TLS = &raft.TLS{CertFile: path(f.RaftCertFile), KeyFile: path(f.RaftKeyFile), CAFile: path(f.RaftCAFile)}
	}
	load := f.loadPeers()
	var err error
	if c.Peers, err = load(); err != nil {
		return c, err
	}
	if strings.HasPrefix(value(f.RaftPeers), fileScheme) {
		c.Reload = load
	}
	return c, nil
}

func (f *Flags) raftDir() string { return filepath.Join(f.WorkDir, "raft") }

const fileScheme = "file://"

// loadPeers returns what reads the list of peers, each time anew if it is in a
// file.
func (f *Flags) loadPeers() func() ([]raft.Peer, error) {
	text := value(f.RaftPeers)
	return func() ([]raft.Peer, error) {
		list := text
		if strings.HasPrefix(text, fileScheme) {
			data, err := os.ReadFile(flags.FilePath(text))
			if err != nil {
				return nil, fmt.Errorf("flag --raft_peers: %w", err)
			}
			list = string(data)
		}
		peers, err := raft.ParsePeers(list)
		if err != nil {
			return nil, fmt.Errorf("flag --raft_peers: %w", err)
		}
		return peers, nil
	}
}

// path is what a flag of PathType means; "" if it isn't given.
func path(s *string) string { return flags.FilePath(value(s)) }
