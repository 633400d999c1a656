package engine

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/mesos-operator/mesos-operator/agentd/paths"
	"github.com/mesos-operator/mesos-operator/agentd/state"
)

// recoveredRuns are the latest runs of the executors that were recovered, by framework and
// executor.
type recoveredRuns map[string]map[string]string

func runsOf(s *state.Snapshot) recoveredRuns {
	out := recoveredRuns{}
	for _, f := range s.Frameworks {
		executors := map[string]string{}
		for _, x := range f.Executors {
			executors[x.Info.GetExecutorId().GetValue()] = x.Container
		}
		out[f.Info.GetId().GetValue()] = executors
	}
	return out
}

// collectOldAgents lets the directories of agents go that this one was before.
func (e *Engine) collectOldAgents(current string) {
	for _, root := range e.roots() {
		for _, name := range directories(paths.Agents(root)) {
			if name != current {
				e.gc.collect(paths.Agent(root, name), true, nil)
			}
		}
	}
}

// collectUnknown lets go what the agent's directories have of frameworks, executors and runs
// that were not recovered: those that made no checkpoints or none that can be read, and runs
// before the latest, whose collection the former life was about to do. It is called when
// nothing was launched yet.
func (e *Engine) collectUnknown(agent string) {
	if agent == "" {
		return
	}
	for _, root := range e.roots() {
		for _, framework := range directories(filepath.Join(paths.Agent(root, agent), "frameworks")) {
			executors, known := e.recovered[framework]
			if !known {
				e.gc.collect(paths.Framework(root, agent, framework), true, nil)
			}
			for _, executor := range directories(filepath.Join(paths.Framework(root, agent, framework), "executors")) {
				latest, known := executors[executor]
				if !known {
					e.gc.collect(paths.Executor(root, agent, framework, executor), true, nil)
				}
				for _, run := range directories(paths.Runs(root, agent, framework, executor)) {
					if run != latest {
						e.gc.collect(paths.Run(root, agent, framework, executor, run), true, nil)
					}
				}
			}
		}
	}
}

// directories are the names of those in a directory, without links and hidden ones.
func directories(path string) (names []string) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil // there are none
	}
	for _, entry := range entries {
		if entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") {
			names = append(names, entry.Name())
		}
	}
	return names
}
