// Command kube is every Kubernetes program that localkube starts, in one static
// binary, so that the packages they share are compiled, linked and stored once.
//
// The program is chosen by the name it is called by (a link named kube-apiserver,
// kubelet, kubectl, ...) or by the first argument: "kube kubelet --version".
package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	// Pods name time zones (CronJob.spec.timeZone); the machine may have no tzdata.
	_ "time/tzdata"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	// Side effects that the programs' own mains rely on: the JSON log format and
	// the client and version metrics.
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
)

// programs maps a program's name to what runs it and yields its exit code.
var programs = map[string]func() int{
	"kube-apiserver":          func() int { return cli.Run(apiserver.NewAPIServerCommand()) },
	"kube-controller-manager": func() int { return cli.Run(controllermanager.NewControllerManagerCommand()) },
	"kube-proxy":              func() int { return cli.Run(proxy.NewProxyCommand()) },
	"kube-scheduler":          func() int { return cli.Run(scheduler.NewSchedulerCommand()) },
	"kubelet":                 func() int { return cli.Run(newKubelet()) },
	"kubectl":                 runKubectl,
}

func main() {
	name, args := filepath.Base(os.Args[0]), os.Args
	if _, ok := programs[name]; !ok && len(args) > 1 {
		name, args = args[1], args[1:]
	}
	run, ok := programs[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "kube: unknown program %q; one of: %s\n",
			name, strings.Join(slices.Sorted(maps.Keys(programs)), ", "))
		os.Exit(2)
	}
	// The commands parse os.Args themselves.
	os.Args = args
	os.Exit(run())
}

func newKubelet() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) }

// runKubectl reports errors through kubectl's own checker, which knows how to
// word API errors and which exit code a plugin or "diff" wants.
func runKubectl() int {
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		cmdutil.CheckErr(err)
	}
	return 0
}
