// Package paths says where the agent keeps what on disk. Operators, clients of
// /files and the tools around Mesos know these places, so they are Mesos's:
//
//	<work_dir>
//	├── slaves/<agent>/frameworks/<framework>/executors/<executor>/runs/
//	│   ├── latest -> <container>
//	│   └── <container>/                     the sandbox
//	├── volumes/roles/<role>/<persistence>/  persistent volumes
//	└── meta/                                checkpoints: see package checkpoint
//	    ├── boot_id
//	    ├── resources/…
//	    └── slaves/
//	        ├── latest -> <agent>
//	        └── <agent>/frameworks/<framework>/executors/<executor>/runs/<container>/…
//
// The functions compute names and touch nothing. Every part of agentd may use
// them.
package paths

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// Latest is the name of the link to the newest agent or run of its directory.
const Latest = "latest"

// maxIDLength is what a file name may have; Mesos refuses longer IDs too.
const maxIDLength = 255

// ErrBadID is wrapped by the error about an ID that can't be a file name.
var ErrBadID = errors.New("invalid ID")

// CheckID refuses IDs that are no file names of their own. IDs come from the
// master, which checks them as well: nothing from outside may name a path.
func CheckID(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("%w: empty", ErrBadID)
	case len(id) > maxIDLength:
		return fmt.Errorf("%w: longer than %d bytes", ErrBadID, maxIDLength)
	case id == "." || id == "..":
		return fmt.Errorf("%w: %q", ErrBadID, id)
	case strings.ContainsFunc(id, func(r rune) bool { return r == '/' || r < ' ' || r == 0x7f }):
		return fmt.Errorf("%w: %q has a slash or a control character", ErrBadID, id)
	}
	return nil
}

// Meta is the root of the checkpoints.
func Meta(workDir string) string { return path.Join(workDir, "meta") }

// Agents holds one directory for each agent that root ever was. root is the
// work directory or Meta of it, here and below.
func Agents(root string) string { return path.Join(root, "slaves") }

// Agent is the directory of one agent.
func Agent(root, agent string) string { return path.Join(Agents(root), agent) }

// Framework is the directory of one framework.
func Framework(root, agent, framework string) string {
	return path.Join(Agent(root, agent), "frameworks", framework)
}

// Executor is the directory of one executor.
func Executor(root, agent, framework, executor string) string {
	return path.Join(Framework(root, agent, framework), "executors", executor)
}

// Runs holds the runs of one executor and the link to the latest.
func Runs(root, agent, framework, executor string) string {
	return path.Join(Executor(root, agent, framework, executor), "runs")
}

// Run is the directory of one run: below the work directory its sandbox.
func Run(root, agent, framework, executor, container string) string {
	return path.Join(Runs(root, agent, framework, executor), container)
}

// Task is the directory of one task's checkpoints.
func Task(root, agent, framework, executor, container, task string) string {
	return path.Join(Run(root, agent, framework, executor, container), "tasks", task)
}

// Containers holds the sandboxes of standalone containers.
func Containers(workDir string) string { return path.Join(workDir, "containers") }

// Virtual is the name under which /files shows an executor's latest sandbox
// without telling the work directory.
func Virtual(framework, executor string) string {
	return path.Join("/frameworks", framework, "executors", executor, "runs", Latest)
}

// Volume is the directory of a persistent volume on the root disk. Roles may
// have slashes.
func Volume(workDir, role, persistence string) string {
	return path.Join(workDir, "volumes", "roles", strings.ReplaceAll(role, "/", " "), persistence)
}
