package mesos

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	agentapi "github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
	"github.com/mesos-operator/mesos-operator/internal/codec"
)

// terminationFile is the name, in a container's directory, of how it ended.
const terminationFile = "termination.json"

// own says that the agent's checkpoints don't tell of the container: what its
// record and its termination file say is all there is.
func (c *container) own() bool { return c.parent != nil || c.cfg.Standalone }

// sandboxEnded tells the Sandboxes of a container of our own that has ended.
func (m *Containerizer) sandboxEnded(c *container, recovered bool) {
	if m.cfg.Sandboxes == nil || !c.own() || c.cfg.Sandbox == "" {
		return
	}
	outermost := c
	for outermost.parent != nil {
		outermost = outermost.parent
	}
	m.cfg.Sandboxes.Ended(outermost.cfg.Sandbox, c.cfg.Sandbox, recovered)
}

// sandboxGone tells them that it is removed or used again.
func (m *Containerizer) sandboxGone(c *container) {
	if m.cfg.Sandboxes != nil && c.own() {
		m.cfg.Sandboxes.Gone(c.cfg.Sandbox)
	}
}

// ownConfig is what is needed of the configuration of such a container.
type ownConfig struct {
	Debug       bool   `json:"debug,omitempty"`
	Standalone  bool   `json:"standalone,omitempty"`
	FrameworkID string `json:"framework,omitempty"`
	User        string `json:"user,omitempty"`
	Sandbox     string `json:"sandbox"`
	// Launch is a LaunchContainer message with resources, limits and container.
	Launch []byte `json:"launch"`
}

func ownConfigOf(cfg containerizer.Config) (*ownConfig, error) {
	launch, err := codec.Marshal(codec.Protobuf, &agentapi.Call_LaunchContainer{
		ContainerId: cfg.ID.Proto(), Container: cfg.Container, Resources: cfg.Resources, Limits: cfg.Limits,
	})
	if err != nil {
		return nil, fmt.Errorf("keeping the container's configuration: %w", err)
	}
	return &ownConfig{
		Debug: cfg.Class == containerizer.ClassDebug, Standalone: cfg.Standalone, FrameworkID: cfg.FrameworkID,
		User: cfg.User, Sandbox: cfg.Sandbox, Launch: launch,
	}, nil
}

// config converts back. The command and the environment, which may have secrets,
// were not kept.
func (o *ownConfig) config(id containerizer.ID) (containerizer.Config, error) {
	var launch agentapi.Call_LaunchContainer
	if err := codec.Unmarshal(codec.Protobuf, o.Launch, &launch); err != nil {
		return containerizer.Config{}, fmt.Errorf("reading the container's configuration: %w", err)
	}
	cfg := containerizer.Config{
		ID: id, Standalone: o.Standalone, FrameworkID: o.FrameworkID, User: o.User, Sandbox: o.Sandbox,
		Container: launch.GetContainer(), Resources: launch.GetResources(), Limits: launch.GetLimits(),
	}
	if o.Debug {
		cfg.Class = containerizer.ClassDebug
	}
	return cfg, nil
}

// keptTermination is a termination on disk.
type keptTermination struct {
	Status  *uint32                   `json:"status,omitempty"`
	State   *mesos.TaskState          `json:"state,omitempty"`
	Reasons []mesos.TaskStatus_Reason `json:"reasons,omitempty"`
	Message string                    `json:"message,omitempty"`
	// Limitation is a TaskResourceLimitation message.
	Limitation []byte `json:"limitation,omitempty"`
}

// keepTermination writes down how a container of our own ended.
func (m *Containerizer) keepTermination(c *container) {
	if !c.own() {
		return
	}
	if err := writeTermination(c.dir, c.termination); err != nil {
		m.log.Error(err, "Keeping how a container ended", "container_id", c.id)
	}
}

func writeTermination(dir string, t containerizer.Termination) error {
	k := keptTermination{State: t.State, Reasons: t.Reasons, Message: t.Message}
	if t.Status != nil {
		k.Status = new(uint32(*t.Status))
	}
	if len(t.LimitedResources) > 0 {
		var err error
		k.Limitation, err = codec.Marshal(codec.Protobuf, &mesos.TaskResourceLimitation{Resources: t.LimitedResources})
		if err != nil {
			return err
		}
	}
	data, err := json.Marshal(k)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, terminationFile)
	if err := os.WriteFile(file+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// recallTermination says whether a container of our own is known to have ended.
func (m *Containerizer) recallTermination(c *container) bool {
	if !c.own() {
		return false
	}
	data, err := os.ReadFile(filepath.Join(c.dir, terminationFile))
	if err != nil {
		return false
	}
	var k keptTermination
	var limitation mesos.TaskResourceLimitation
	if err := errors.Join(json.Unmarshal(data, &k), codec.Unmarshal(codec.Protobuf, k.Limitation, &limitation)); err != nil {
		m.log.Error(err, "How the container ended can't be read", "container_id", c.id)
		return false
	}
	c.termination = containerizer.Termination{
		State: k.State, Reasons: k.Reasons, Message: k.Message, LimitedResources: limitation.Resources,
	}
	if k.Status != nil {
		c.termination.Status = new(syscall.WaitStatus(*k.Status))
	}
	return true
}
