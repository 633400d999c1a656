// Package mesos is the containerizer of the agent: it isolates by the isolators
// that the flag --isolation names, and starts by a runtime. It implements
// containerizer.Containerizer; the agent's main makes it, its engine calls it.
//
// # What it keeps on disk
//
//	<Config.CheckpointDir of the container>/      or, without one, the next line's directory
//	    container.json   runtime, cgroup, stage, process, boot: see [record]
//	    status           the wait status, written by the launch stage
//	    …                the runtime's files
//	<RuntimeDir>/containers/<id>                  that directory, or a link to it
//	<WorkDir>/bin/agentd-<hash>                   what stages and executors execute
//
// The directory in RuntimeDir is the list of what was started: an entry is there
// before the container's first process and until its last trace is gone. After
// a restart, entries that the agent doesn't know are orphans, and so are
// cgroups below the agent's cgroup root.
//
// # Killed at any moment
//
// Everything that outlives the agent's process can be found by one of
// these: processes by their cgroup or their stage in container.json, cgroups
// by the cgroup root, the runtime's state by the entry in RuntimeDir. Mounts live in
// namespaces that end with the processes. Each is made before, and removed
// after, what it leads to.
package mesos
