// Package app is the command line of mesosctl, also installed as kubectl-mesos: one file a command.
package app

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/mesos-operator/mesos-operator/internal/masterclient"
	"github.com/mesos-operator/mesos-operator/mesosctl/tunnel"
)

// Streams are where commands read and write; tests give buffers.
type Streams struct{ Out, Err io.Writer }

// options are the flags every command has.
type options struct {
	streams  Streams
	kube     clientcmd.ClientConfig
	master   string
	cluster  string
	username string
}

// passwordVariable holds the password that goes with --username; a flag would show in `ps`.
const passwordVariable = "MESOSCTL_PASSWORD"

// New returns the root command.
func New(streams Streams) *cobra.Command {
	o := &options{streams: streams}
	root := &cobra.Command{
		Use:           "mesosctl",
		Short:         "Run tasks on Mesos clusters and look at them",
		Long:          "mesosctl talks to a Mesos cluster: to the MesosCluster of a namespace through your kubeconfig, or to a master you name.",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	f := root.PersistentFlags()
	f.StringVar(&o.master, "master", os.Getenv("MESOSCTL_MASTER"), "a master's host:port, instead of looking in Kubernetes (MESOSCTL_MASTER)")
	f.StringVar(&o.cluster, "mesos-cluster", "", "the MesosCluster's name; needed if the namespace has several")
	f.StringVar(&o.username, "mesos-username", "", "the principal to authenticate as; its secret is read from "+passwordVariable)
	o.kube = kubeconfig(f)
	root.AddCommand(newTask(o), newAgent(o), newFramework(o), newVersion(o))
	return root
}

// kubeconfig adds kubectl's flags for choosing a cluster, under kubectl's names.
func kubeconfig(f *pflag.FlagSet) clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	f.StringVar(&rules.ExplicitPath, "kubeconfig", "", "path to the kubeconfig file")
	overrides := &clientcmd.ConfigOverrides{}
	clientcmd.BindOverrideFlags(overrides, f, clientcmd.RecommendedConfigOverrideFlags(""))
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)
}

// client connects as the flags say: to the given master, or through Kubernetes.
func (o *options) client(ctx context.Context) (*masterclient.Client, error) {
	config := masterclient.Config{Master: o.master, Username: o.username, Password: os.Getenv(passwordVariable)}
	if o.master == "" {
		rest, err := o.kube.ClientConfig()
		if err != nil {
			return nil, fmt.Errorf("no --master given, and no kubeconfig to find one: %w", err)
		}
		namespace, _, err := o.kube.Namespace()
		if err != nil {
			return nil, err
		}
		t, err := tunnel.New(ctx, rest, namespace, o.cluster)
		if err != nil {
			return nil, err
		}
		if config.Master, err = t.Leader(ctx); err != nil {
			return nil, err
		}
		config.Dial = t.Dial
	}
	return masterclient.New(config)
}
