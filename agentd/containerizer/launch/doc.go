// Package launch is the first process of every container: the agent's own
// binary, executed once more with the argument "launch". The containerizer's
// runtimes start it through package spawn; nobody else does.
//
// # What it does
//
//	agent                                 launch
//	  ── Request ───────────────────────────>
//	                                      joins the cgroups
//	  <──────────────────── Reply{Ready} ──
//	keeps its identity in a file
//	  ── Go ────────────────────────────────>
//	                                      starts the container's command
//	  <────────── Reply{PID} or {Error} ──
//	                                      waits, writes the wait status to a file,
//	                                      kills what the command left behind, exits
//
// If the agent dies before it says Go, the conversation ends and so does the
// stage, having started nothing. From then on the stage is on file, needs the
// agent no more, and whoever is the agent later learns from the status file
// how the command ended. It adopts the command's orphans, ignores signals other
// than SIGKILL, and has the fate of its cgroups.
//
// # Why it runs in init
//
// A stage that stays as long as its container should cost no more than it must.
// The agent's other packages keep megabytes from their initialization on, which
// a stage never uses. Go initializes packages in the order of their
// dependencies and then of their paths, so this one, with few imports, takes
// over before they begin. That is also why it must import only what package
// encoding/json needs itself: of the standard library even path/filepath and
// os/signal come after google.golang.org/protobuf. A test looks after that.
package launch

// Name is the argument that selects this stage.
const Name = "launch"

// ConversationFD is the descriptor of the socket to the agent.
const ConversationFD = 3

// Request tells what to start.
type Request struct {
	// Cgroups are the files to write the own process ID into before anything
	// else is started.
	Cgroups []string `json:"cgroups,omitempty"`
	// StatusFile gets the wait status of the command, as a decimal number as
	// of wait(2). It appears whole or not at all.
	StatusFile string `json:"status_file"`
	// Logs are streams to bound in size; the others are the command's own.
	Logs []Log `json:"logs,omitempty"`
	logs logs
	// Command is started directly; nil if OCI is set.
	Command *Command `json:"command,omitempty"`
	// OCI has a runtime start the command.
	OCI *OCI `json:"oci,omitempty"`
}

// Command is a process to start.
type Command struct {
	// Path is looked up in the PATH of Env if it has no slash. Empty means
	// the first of Args.
	Path string `json:"path,omitempty"`
	// Args are the arguments, with the name of the command first.
	Args []string `json:"args"`
	// Env is the whole environment.
	Env []string `json:"env"`
	// Dir is the working directory.
	Dir string `json:"dir"`
	// UID and GID are switched to if SwitchUser is set, with Groups.
	SwitchUser bool     `json:"switch_user,omitempty"`
	UID        uint32   `json:"uid,omitempty"`
	GID        uint32   `json:"gid,omitempty"`
	Groups     []uint32 `json:"groups,omitempty"`
	// Namespaces are files, such as /proc/<pid>/ns/mnt, of namespaces that the
	// command is started in; a PID namespace among them is the command's alone.
	Namespaces []string `json:"namespaces,omitempty"`
	// Terminal says that the standard input is to be the controlling terminal.
	Terminal bool `json:"terminal,omitempty"`
	// Rlimits are set in their order.
	Rlimits []Rlimit `json:"rlimits,omitempty"`
	// OOMScoreAdj is that of the command, nil for the agent's.
	OOMScoreAdj *int `json:"oom_score_adj,omitempty"`
}

// Rlimit is a resource limit.
type Rlimit struct {
	// Resource is the kernel's number, see setrlimit(2).
	Resource int    `json:"resource"`
	Soft     uint64 `json:"soft"`
	Hard     uint64 `json:"hard"`
}

// OCI is a container to have started by an OCI runtime.
type OCI struct {
	// Runtime is the runtime's command with its global options.
	Runtime []string `json:"runtime"`
	// ID is the container's ID for the runtime.
	ID string `json:"id"`
	// Bundle is the directory of config.json.
	Bundle string `json:"bundle"`
	// PIDFile is where the runtime writes the ID of the container's process.
	PIDFile string `json:"pid_file"`
	// Mounts are made, in their order, in a mount namespace of the stage's own that goes
	// away with it: root file systems of images, and what is shared with a parent.
	Mounts []Mount `json:"mounts,omitempty"`
	// HostRoot is a directory on which the file system of the node is bound,
	// in a mount namespace of the stage's own that goes away with it. Empty if
	// the bundle has its own root.
	HostRoot string `json:"host_root,omitempty"`
	// ConsoleSocket is where the runtime brings the container's terminal; empty for
	// a container without.
	ConsoleSocket string `json:"console_socket,omitempty"`
	// Env is the environment of the runtime itself.
	Env []string `json:"env,omitempty"`
}

// Mount is one that a container's root file system is made of, or that it shares with its
// parent. See mount(2).
type Mount struct {
	// Namespace is the file of the mount namespace that has Source, which is then bound
	// as it is there; empty for the stage's own.
	Namespace string `json:"namespace,omitempty"`
	// Dir is what relative paths in Data are relative to; empty for the root. Data is
	// short: a page has to hold it.
	Dir string `json:"dir,omitempty"`
	// Type is that of the file system; empty for a bind mount.
	Type string `json:"type,omitempty"`
	// Source is the device, or what is bound.
	Source string `json:"source"`
	// Target is where it appears.
	Target string `json:"target"`
	// ReadOnly forbids to change it.
	ReadOnly bool `json:"read_only,omitempty"`
	// Data are options of the file system.
	Data string `json:"data,omitempty"`
}

// Go is the agent's permission to start the command.
type Go struct{}

// Reply is what the stage tells the agent.
type Reply struct {
	// Ready says that the stage waits for Go.
	Ready bool `json:"ready,omitempty"`
	// PID is the command's process.
	PID int `json:"pid,omitempty"`
	// Error is why the command could not be started.
	Error string `json:"error,omitempty"`
}
