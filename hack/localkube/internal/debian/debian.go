// Package debian installs the Debian packages that localkube takes from the
// distribution: the container runtime, the CNI plugins, and the tools kube-proxy
// and the kubelet call. Nothing of them is started as a service.
package debian

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/progress"
)

// Packages are what a node needs from Debian 12.
var Packages = []string{
	"ca-certificates",
	"conntrack",                   // kube-proxy clears stale UDP flows with it
	"containerd",                  //
	"containernetworking-plugins", // bridge, host-local, portmap, loopback
	"iproute2",                    //
	"iptables",                    // kube-proxy's rules
	"kmod",                        // kube-proxy and containerd load modules where they are modules
	"mount",                       //
	"nftables",                    // the host's masquerading
	"runc",                        //
	"util-linux",                  // nsenter
}

// policy keeps package scripts from starting services; see invoke-rc.d(8).
const (
	policy        = "/usr/sbin/policy-rc.d"
	policyContent = "#!/bin/sh\n# by localkube, while it installs packages\nexit 101\n"
)

// Install installs what is missing.
func Install(ctx context.Context, log *progress.Log) error {
	missing, err := missing(ctx, Packages)
	if err != nil || len(missing) == 0 {
		return err
	}
	what := "installing " + strings.Join(missing, " ")
	return log.Step(ctx, what, func(ctx context.Context, say func(string)) error {
		undo, err := holdServices()
		if err != nil {
			return err
		}
		defer undo()
		say("apt-get update")
		if err := apt(ctx, "update", "-qq"); err != nil {
			return err
		}
		say("apt-get install")
		return apt(ctx, append([]string{"install", "-y", "-qq", "--no-install-recommends"}, missing...)...)
	})
}

// holdServices keeps services from being started by the packages' scripts, unless
// the machine's administrator already has a policy.
func holdServices() (undo func(), err error) {
	f, err := os.OpenFile(policy, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return func() {}, nil
	}
	if err != nil {
		return nil, err
	}
	undo = func() { _ = os.Remove(policy) }
	_, err = f.WriteString(policyContent)
	if err = errors.Join(err, f.Close()); err != nil {
		undo()
		return nil, err
	}
	return undo, nil
}

func apt(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get %s: %w\n%s", args[0], err, tail(string(out), 10))
	}
	return nil
}

// missing asks dpkg which packages aren't installed.
func missing(ctx context.Context, packages []string) ([]string, error) {
	args := append([]string{"--show", "--showformat=${Package} ${db:Status-Status}\n"}, packages...)
	out, err := exec.CommandContext(ctx, "dpkg-query", args...).Output()
	var exit *exec.ExitError
	// Exit code 1 says that some package is unknown, which is an answer.
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		return nil, fmt.Errorf("asking dpkg for installed packages (localkube needs Debian): %w", err)
	}
	return notInstalled(packages, string(out)), nil
}

func notInstalled(packages []string, status string) []string {
	installed := map[string]bool{}
	for line := range strings.Lines(status) {
		if f := strings.Fields(line); len(f) == 2 && f[1] == "installed" {
			installed[f[0]] = true
		}
	}
	var missing []string
	for _, p := range packages {
		if !installed[p] {
			missing = append(missing, p)
		}
	}
	return missing
}

func tail(s string, lines int) string {
	all := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
