// Each of these programs is content with one thread; to look for a limit of its cgroup costs
// the more the more is mounted.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0

// Command executord is what agentd runs for containers and inside of them, apart from
// the agent because it is there once or twice for each container and has to be small:
//
//	executord executor          the command executor
//	executord default-executor  the executor of task groups
//	executord launch            the first process of a container
//	executord switchboard       passes on what a container with a terminal reads and writes
//	executord version           prints its build, which has to be the agent's
//
// All but the last are started by an agent. It looks for the program beside its own,
// or in --launcher_dir, and has them execute a copy in its work directory.
package main

import (
	"fmt"
	"os"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/switchboard"
	"github.com/mesos-operator/mesos-operator/agentd/executor"
	"github.com/mesos-operator/mesos-operator/agentd/executor/taskgroup"
	"github.com/mesos-operator/mesos-operator/internal/version"

	// The stage "launch" takes over before main.
	_ "github.com/mesos-operator/mesos-operator/agentd/containerizer/launch"
)

func main() { os.Exit(run(os.Args[1:])) }

// run picks the role.
func run(args []string) int {
	if len(args) > 0 {
		switch args[0] {
		case executor.Name:
			return executor.Main(args[1:])
		case taskgroup.Name:
			return taskgroup.Main(args[1:])
		case switchboard.Name:
			return switchboard.Main(args[1:])
		case "version":
			fmt.Println(version.Build())
			return 0
		}
	}
	fmt.Fprintln(os.Stderr, "This program is started by agentd.")
	return 2
}
