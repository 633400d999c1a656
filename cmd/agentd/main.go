// Command agentd is the Mesos agent, with the flags of mesos-agent. Its
// subcommands are the programs that containers need, in one static binary:
//
//	agentd [flags]           the agent
//	agentd executor          the command executor, started by an agent
//	agentd default-executor  the executor of task groups, likewise
//	agentd launch            the first process of a container, likewise
//	agentd switchboard       passes on what a container with a terminal reads and writes
//	agentd fetch             fetches files into a sandbox, likewise
//	agentd cleanup [flags]   removes what agents left on a machine
package main

import (
	"os"

	"github.com/mesos-operator/mesos-operator/agentd/app"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/switchboard"
	"github.com/mesos-operator/mesos-operator/agentd/executor"
	"github.com/mesos-operator/mesos-operator/agentd/executor/taskgroup"
	"github.com/mesos-operator/mesos-operator/agentd/fetcher"
)

func main() { os.Exit(run(os.Args[1:])) }

// run picks the program. The stage "launch" takes over before main.
func run(args []string) int {
	if len(args) > 0 {
		switch args[0] {
		case executor.Name:
			return executor.Main(args[1:])
		case taskgroup.Name:
			return taskgroup.Main(args[1:])
		case switchboard.Name:
			return switchboard.Main(args[1:])
		case fetcher.Name:
			return fetcher.Main(args[1:])
		case app.CleanupName:
			return app.CleanupMain(args[1:], os.Environ(), os.Stdout, os.Stderr)
		}
	}
	return app.Main(args, os.Environ(), os.Stdout, os.Stderr)
}
