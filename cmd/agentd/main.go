// Command agentd is the Mesos agent, with the flags of mesos-agent:
//
//	agentd [flags]           the agent
//	agentd fetch             fetches files into a sandbox, started by an agent
//	agentd cleanup [flags]   removes what agents left on a machine
//
// What it runs for containers otherwise is executord.
package main

import (
	"os"

	"github.com/mesos-operator/mesos-operator/agentd/app"
	"github.com/mesos-operator/mesos-operator/agentd/fetcher"
)

func main() { os.Exit(run(os.Args[1:])) }

// run picks the role.
func run(args []string) int {
	if len(args) > 0 {
		switch args[0] {
		case fetcher.Name:
			return fetcher.Main(args[1:])
		case app.CleanupName:
			return app.CleanupMain(args[1:], os.Environ(), os.Stdout, os.Stderr)
		}
	}
	return app.Main(args, os.Environ(), os.Stdout, os.Stderr)
}
