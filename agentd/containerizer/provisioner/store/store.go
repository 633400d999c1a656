// Package store is the contract of image stores: what keeps images of one kind on the
// agent's disk, layer by layer, and gets those that it doesn't have. The stores are the
// packages below; the provisioner is the only caller.
package store

import (
	"context"
	"errors"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/layer"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrNotFound says that there is no such image where images come from.
	ErrNotFound = errors.New("no such image")
	// ErrInvalid says that an image or its name is not what it should be.
	ErrInvalid = errors.New("invalid image")
)

// Image is an image that is on disk.
type Image struct {
	// Layers are the directories that it is made of, the base first.
	Layers []string
	// Files are other files of the store that it needs as long as it is in use.
	Files []string
	// Defaults are what it says about how to run it.
	Defaults Defaults
}

// Defaults are an image's words on how to run it. Isolators by the kind of the image
// merge them with those of the framework.
type Defaults struct {
	// Type is the kind of the image.
	Type mesos.Image_Type `json:"type"`
	// Entrypoint and Cmd are the command; an AppC image has the first only.
	Entrypoint []string `json:"entrypoint,omitempty"`
	Cmd        []string `json:"cmd,omitempty"`
	// Env has variables in the form name=value.
	Env []string `json:"env,omitempty"`
	// WorkingDir is where the command starts; empty leaves that open.
	WorkingDir string `json:"working_dir,omitempty"`
	// User is whom the image wants to be run as: name or number, and group.
	User string `json:"user,omitempty"`
	// StopSignal asks the image's program to end: name or number; empty for SIGTERM.
	StopSignal string `json:"stop_signal,omitempty"`
}

// Store keeps images. Get may be called from many goroutines, and also for one image
// at once, which gets it once. The caller keeps Prune from coming between Get and the
// use of what it returned.
type Store interface {
	// Recover takes over what the agent's previous life left, and removes what it
	// left half done. It comes first.
	Recover() error
	// Get returns an image with its layers unpacked in a form, and gets it first if it
	// isn't there, or if the framework wants a fresh one. Errors: ErrNotFound, ErrInvalid.
	Get(ctx context.Context, image *mesos.Image, form layer.Form) (Image, error)
	// Prune removes all images but those named, and all layers and files but
	// theirs and those in use, which are named by their paths.
	Prune(keep []*mesos.Image, inUse map[string]bool) error
}
