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

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/flags"
	"github.com/mesos-operator/mesos-operator/internal/metrics"
	"github.com/mesos-operator/mesos-operator/internal/zookeeper"
	"github.com/mesos-operator/mesos-operator/masterd/election"
	zkelection "github.com/mesos-operator/mesos-operator/masterd/election/zookeeper"
	"github.com/mesos-operator/mesos-operator/masterd/registry/memory"
	"github.com/mesos-operator/mesos-operator/masterd/registry/raft"
	zkregistry "github.com/mesos-operator/mesos-operator/masterd/registry/zookeeper"
)

// RegistryFlags say where the registry is kept, and how the leader is elected.
type RegistryFlags struct {
	Registry             string
	RegistryStrict       bool
	RegistryFetchTimeout time.Duration
	RegistryStoreTimeout time.Duration
	ZK                   *string
	ZKSessionTimeout     time.Duration
	Quorum               *int
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
	registryReplicated = "replicated_log" // what Mesos's default is called: ours
	registryZooKeeper  = "zookeeper"
)

func (f *Flags) defineRegistry() {
	s := f.Set
	flags.Var(s, &f.Registry, "registry", registryRaft,
		flags.OneOf(registryRaft, registryReplicated, registryZooKeeper, registryMemory),
		"Where agents, quotas and weights are kept. Without the flag, and as replicated_log: by raft among the masters, "+
			"or with --zk and without --raft_peers in ZooKeeper.")
	flags.Optional(s, &f.ZK, "zk", zkType,
		"ZooKeeper ensemble and path, zk://user:password@host:port,host:port/path, or file:///path of a file with that. "+
			"The masters elect their leader there; with --raft_peers the leader shows itself there.")
	s.Duration(&f.ZKSessionTimeout, "zk_session_timeout", zookeeper.DefaultTimeout,
		"How long ZooKeeper keeps a master in the group that it doesn't hear of.")
	flags.Optional(s, &f.Quorum, "quorum", flags.IntType,
		"Masters that must agree. Needs not be given: it is a majority of --raft_peers, or ZooKeeper's own.")
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

// openRegistry opens the store and makes the elector that goes with it.
func (a *App) openRegistry() error {
	kind, err := a.flags.registryKind()
	if err != nil {
		return err
	}
	identify := func() *mesos.MasterInfo { return withNewID(a.self) }
	group := zkelection.Config{Timeout: a.flags.ZKSessionTimeout, Identify: identify, Log: a.log.WithName("zookeeper")}
	if a.flags.ZK != nil {
		if group.URL, err = zookeeper.ParseURL(*a.flags.ZK); err != nil {
			return fmt.Errorf("flag --zk: %w", err)
		}
	}
	switch kind {
	case registryRaft:
		store, err := a.openRaft()
		if err != nil {
			return err
		}
		a.elector = election.NewConsensus(store, identify, a.log.WithName("election"))
		if a.flags.ZK != nil {
			a.publisher = zkelection.NewPublisher(group)
		}
		return nil
	case registryZooKeeper:
		a.store = zkregistry.Open(zkregistry.Config{
			URL: group.URL, Timeout: a.flags.ZKSessionTimeout, Log: a.log.WithName("registry"),
		})
	default:
		a.store = memory.New()
	}
	if a.flags.ZK == nil {
		a.elector = election.NewStandalone(identify())
	} else {
		a.elector = zkelection.New(group)
	}
	return nil
}

func (a *App) openRaft() (*raft.Store, error) {
	cfg, err := a.flags.raft(a.log)
	if err != nil {
		return nil, err
	}
	if q := a.flags.Quorum; q != nil && len(cfg.Peers) > 0 && *q != len(cfg.Peers)/2+1 {
		a.log.Info("flag --quorum is not used: a majority of the peers decides", "quorum", *q, "peers", len(cfg.Peers))
	}
	store, err := raft.Open(cfg)
	if err != nil {
		return nil, err
	}
	a.store = store
	a.metrics.Pull(func(_ context.Context, emit metrics.Emit) {
		emit(metrics.Gauge, "registrar/log/ensemble_size", float64(store.Voters()))
		if current, ok := store.Current(); ok {
			emit(metrics.Gauge, "registrar/log/ensemble_current", float64(current))
			emit(metrics.Gauge, "registrar/log/ensemble_listed", float64(store.Listed()))
		}
		recovered := 0.0
		if store.Leader() != nil {
			recovered = 1
		}
		emit(metrics.Gauge, "registrar/log/recovered", recovered)
	})
	return store, nil
}

// registryKind decides where the registry is kept. A command line that was
// written for mesos-master names ZooKeeper and no peers: what Mesos would keep
// in a log among the masters that find each other there, ZooKeeper keeps then.
func (f *Flags) registryKind() (string, error) {
	named := f.Set.Given("registry") && f.Registry == registryRaft
	switch {
	case f.Registry == registryMemory, f.ZK == nil && f.Registry != registryZooKeeper:
		if f.Registry == registryReplicated {
			return registryRaft, nil
		}
		return f.Registry, nil
	case f.ZK == nil:
		return "", errors.New("flag --registry=zookeeper needs --zk")
	case f.Registry == registryZooKeeper:
		return registryZooKeeper, nil
	case f.RaftPeers != nil:
		return registryRaft, nil
	case named && f.Quorum != nil && *f.Quorum == 1:
		return registryRaft, nil
	case named:
		return "", errors.New("flags --registry=raft and --zk need --raft_peers, or --quorum=1 if there is one master only: " +
			"masters that don't know each other would all lead")
	}
	if _, err := os.Stat(f.raftDir()); err == nil {
		return "", fmt.Errorf("there is a raft registry in %s, and with --zk alone the one in ZooKeeper would be used: "+
			"say --registry=raft or --registry=zookeeper (`masterd registry` moves one to the other)", f.raftDir())
	}
	return registryZooKeeper, nil
}

// zkType is the text of a URL; /flags doesn't show its password.
var zkType = flags.Type[string]{
	Parse: func(text string) (string, error) { _, err := zookeeper.ParseURL(text); return text, err },
	Format: func(text string) string {
		u, err := zookeeper.ParseURL(text)
		if err != nil || u.Credentials == "" {
			return text
		}
		return u.String()
	},
	Value: "URL",
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
	if _, err := f.registryKind(); err != nil {
		errs = append(errs, err)
	}
	if f.ZKSessionTimeout <= 0 || f.Quorum != nil && *f.Quorum <= 0 {
		errs = append(errs, errors.New("flags --zk_session_timeout and --quorum must be positive"))
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
