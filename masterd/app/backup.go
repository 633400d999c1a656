package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-logr/logr"

	registrypb "github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	"github.com/mesos-operator/mesos-operator/internal/atomicfile"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/zookeeper"
	"github.com/mesos-operator/mesos-operator/masterd/registry/raft"
	zkregistry "github.com/mesos-operator/mesos-operator/masterd/registry/zookeeper"
)

// registryUsage explains `masterd registry`.
const registryUsage = `usage: masterd registry export FILE [flags of the master]
       masterd registry import FILE [flags of the master]

export writes the registry of a master that doesn't run, or of ZooKeeper, to a
file as JSON; import makes a new registry of such a file. "-" is standard output
or input. The flags say where the registry is, as they do to the master.
`

// maxBackup bounds the file of a registry: 100,000 agents have about 300 MB.
const maxBackup = 4 << 30

// RegistryCommand is `masterd registry`, with what comes behind these words.
func RegistryCommand(ctx context.Context, args, environ []string, in io.Reader, out io.Writer) error {
	if len(args) < 2 || args[0] != "export" && args[0] != "import" {
		return errors.New(registryUsage)
	}
	f := NewFlags()
	if err := f.Set.Parse(args[2:], environ); err != nil {
		return err
	}
	if err := f.Validate(); err != nil {
		return err
	}
	v, err := f.vault()
	if err != nil {
		return err
	}
	if args[0] == "export" {
		return exportTo(ctx, v, args[1], out)
	}
	return importFrom(ctx, v, args[1], in)
}

// vault is a store that no master leads.
type vault interface {
	Export(context.Context) (*registrypb.Registry, error)
	Import(context.Context, *registrypb.Registry) error
}

func (f *Flags) vault() (vault, error) {
	kind, err := f.registryKind()
	switch {
	case err != nil:
		return nil, err
	case kind == registryMemory:
		return nil, errors.New("--registry=in_memory has nothing to export, and forgets what is imported")
	case kind == registryRaft:
		cfg, err := f.raft(logr.Discard())
		return raftVault{cfg}, err
	}
	u, err := zookeeper.ParseURL(*f.ZK)
	if err != nil {
		return nil, fmt.Errorf("flag --zk: %w", err)
	}
	return zkregistry.Open(zkregistry.Config{URL: u, Timeout: f.ZKSessionTimeout}), nil
}

type raftVault struct{ cfg raft.Config }

// Export implements vault.
func (v raftVault) Export(context.Context) (*registrypb.Registry, error) { return raft.Export(v.cfg) }

// Import implements vault.
func (v raftVault) Import(_ context.Context, r *registrypb.Registry) error {
	return raft.Import(v.cfg, r)
}

func exportTo(ctx context.Context, v vault, file string, out io.Writer) error {
	r, err := v.Export(ctx)
	if err != nil {
		return fmt.Errorf("exporting the registry: %w", err)
	}
	data, err := codec.Marshal(codec.JSON, r)
	if err != nil {
		return fmt.Errorf("exporting the registry: %w", err)
	}
	data = append(data, '\n')
	if file == "-" {
		_, err = out.Write(data)
	} else {
		err = atomicfile.Write(file, data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("writing the registry's backup: %w", err)
	}
	return nil
}

func importFrom(ctx context.Context, v vault, file string, in io.Reader) error {
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return fmt.Errorf("reading the registry's backup: %w", err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxBackup))
	if err != nil {
		return fmt.Errorf("reading the registry's backup: %w", err)
	}
	r := &registrypb.Registry{}
	if err := codec.Unmarshal(codec.JSON, data, r); err != nil {
		return fmt.Errorf("reading the registry's backup: %w", err)
	}
	if err := v.Import(ctx, r); err != nil {
		return fmt.Errorf("importing the registry: %w", err)
	}
	return nil
}
