// Command localkube runs a real Kubernetes on one Debian machine, as root, with
// nothing but Go and Debian's packages: for development and end-to-end tests.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/cluster"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/config"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/node"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/progress"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/reexec"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/smoke"
)

// command is a word of the command line. The run function gets the flags' values and
// the arguments after them.
type command struct {
	name, args, help string
	run              func(ctx context.Context, o options, args []string) error
}

// options are the values of all flags; each command takes those it needs.
type options struct {
	cluster.Cluster
	purge bool
}

func commands() []command {
	return []command{
		{"up", "", "start the cluster, or complete one that is partly up", up},
		{"down", "", "remove the cluster; with --purge also the built binaries", down},
		{"check", "", "list what of a cluster is on the machine; exit code 1 if anything is", check},
		{"status", "", "list the processes and where they log", status},
		{"kubeconfig", "", "print the path of the administrator's kubeconfig", kubeconfig},
		{"load", "ARCHIVE...", "load image archives (docker save, OCI) into the nodes", load},
		{"smoke", "", "prove that the running cluster does what the project needs", smokeTest},
		{"exec", "NODE COMMAND...", "run a command of the host's /usr in a node's namespaces", execute},
		{"envtest-assets", "FOLDER", "link kube-apiserver, etcd, kubectl and helm into a folder for KUBEBUILDER_ASSETS", envtest},
	}
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "localkube:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if ours, err := reexec.Run(args); ours {
		return err
	}
	if len(args) == 0 {
		usage()
		return errors.New("no command given")
	}
	all := commands()
	i := slices.IndexFunc(all, func(c command) bool { return c.name == args[0] })
	if i < 0 {
		usage()
		return fmt.Errorf("unknown command %q", args[0])
	}
	o, rest, err := parse(args[0], args[1:])
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return all[i].run(ctx, o, rest)
}

func usage() {
	fmt.Fprint(os.Stderr, "usage: localkube COMMAND [--run=FOLDER] [--cache=FOLDER] [--repo=FOLDER] [--nodes=N]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(os.Stderr, "  %-28s %s\n", strings.TrimSpace(c.name+" "+c.args), c.help)
	}
}

func parse(name string, args []string) (options, []string, error) {
	var o options
	f := flag.NewFlagSet("localkube "+name, flag.ContinueOnError)
	read := config.Flags(f)
	f.BoolVar(&o.purge, "purge", false, "with down: remove the cache, too")
	if err := f.Parse(args); err != nil {
		return o, nil, err
	}
	c, err := read()
	o.Cluster = cluster.Cluster{Config: c, Log: progress.New(os.Stderr)}
	return o, f.Args(), err
}

func up(ctx context.Context, o options, _ []string) error {
	if err := o.Up(ctx); err != nil {
		return err
	}
	o.Log.Printf("ready; export KUBECONFIG=%s", o.Config.Kubeconfig())
	return nil
}

func down(ctx context.Context, o options, _ []string) error {
	if err := o.Down(ctx); err != nil {
		return err
	}
	if o.purge {
		return o.Purge()
	}
	return nil
}

func check(ctx context.Context, o options, _ []string) error {
	found, err := o.Leftovers(ctx)
	if err != nil {
		return err
	}
	for _, f := range found {
		fmt.Println(f)
	}
	if len(found) > 0 {
		return fmt.Errorf("%d things of a cluster are on this machine", len(found))
	}
	fmt.Println("nothing of a cluster is on this machine")
	return nil
}

func status(_ context.Context, o options, _ []string) error {
	lines, err := o.Status()
	if err != nil {
		return err
	}
	if len(lines) == 0 {
		return errors.New("no cluster")
	}
	fmt.Println(strings.Join(lines, "\n"))
	return nil
}

func kubeconfig(_ context.Context, o options, _ []string) error {
	if _, err := os.Stat(o.Config.Kubeconfig()); err != nil {
		return fmt.Errorf("no cluster: %w", err)
	}
	fmt.Println(o.Config.Kubeconfig())
	return nil
}

func load(ctx context.Context, o options, args []string) error {
	if len(args) == 0 {
		return errors.New("load: which archives?")
	}
	return o.Load(ctx, args...)
}

func smokeTest(ctx context.Context, o options, _ []string) error {
	archive, err := o.ProbeImage(ctx)
	if err != nil {
		return err
	}
	if err := o.Load(ctx, archive); err != nil {
		return err
	}
	k, err := o.Kubectl(ctx)
	if err != nil {
		return err
	}
	return smoke.Smoke{Config: o.Config, Log: o.Log, Kubectl: k}.Run(ctx)
}

func execute(ctx context.Context, o options, args []string) error {
	if len(args) < 2 {
		return errors.New("exec: which node and command?")
	}
	cmd, err := node.Command(ctx, o.Config, args[0], args[1:]...)
	if err != nil {
		return err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

func envtest(ctx context.Context, o options, args []string) error {
	if len(args) != 1 {
		return errors.New("envtest-assets: which folder?")
	}
	return o.EnvtestAssets(ctx, args[0])
}
