// Package app is the command line of mesosctl, also installed as kubectl-mesos: one file a command.
package app

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/mesos-operator/mesos-operator/internal/detector"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
	"github.com/mesos-operator/mesos-operator/internal/masterclient"
	"github.com/mesos-operator/mesos-operator/internal/tlsconfig"
	"github.com/mesos-operator/mesos-operator/mesosctl/tunnel"
)

// Streams are where commands read and write; tests give buffers. In may be a terminal.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

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

// detectionTimeout bounds the search for a leader: a new one is there in seconds.
const detectionTimeout = 30 * time.Second

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
	f.StringVar(&o.master, "master", os.Getenv("MESOSCTL_MASTER"), "where masters are, instead of looking in Kubernetes: host:port, several with commas in between, zk://…/path or file:///path (MESOSCTL_MASTER)")
	f.StringVar(&o.cluster, "mesos-cluster", "", "the MesosCluster's name; needed if the namespace has several")
	f.StringVar(&o.username, "mesos-username", "", "the principal to authenticate as; its secret is read from "+passwordVariable)
	o.kube = kubeconfig(f)
	root.AddCommand(newTask(o), newAgent(o), newFramework(o), newRegistry(o), newVersion(o))
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
	secure, err := transportSecurity(os.LookupEnv)
	if err != nil {
		return nil, err
	}
	address, err := locate(ctx, o.master, secure)
	if err != nil {
		return nil, err
	}
	config := masterclient.Config{Master: address, Username: o.username, Password: os.Getenv(passwordVariable), TLS: secure}
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

// transportSecurity is what LIBPROCESS_SSL_* say, as for the daemons; nil without TLS.
func transportSecurity(lookup tlsconfig.Lookup) (*tlsconfig.Source, error) {
	settings, err := tlsconfig.FromEnvironment(lookup)
	if err != nil || settings == nil {
		return nil, err
	}
	return tlsconfig.OpenClient(settings, logr.Discard())
}

// locate finds the leading master where --master names more than one, or where
// to look for it. A single one is asked as it is: it redirects to the leader.
func locate(ctx context.Context, master string, secure *tlsconfig.Source) (string, error) {
	if !strings.Contains(master, ",") && !strings.HasPrefix(master, "zk://") && !strings.HasPrefix(master, "file://") {
		return master, nil
	}
	ctx, cancel := context.WithTimeout(ctx, detectionTimeout)
	defer cancel()
	find, err := detector.New(detector.Config{Masters: master, TLS: secure})
	if err != nil {
		return "", err
	}
	text, err := find.Detect(ctx)
	if err != nil {
		return "", fmt.Errorf("looking for the leading master: %w", err)
	}
	pid, err := libprocess.ParsePID(text)
	if err != nil {
		return "", fmt.Errorf("looking for the leading master: %w", err)
	}
	return pid.Address.String(), nil
}
