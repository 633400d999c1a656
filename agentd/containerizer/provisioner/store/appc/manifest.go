package appc

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/store"
)

// Manifest is what an image says about itself.
type Manifest struct {
	ACKind       string       `json:"acKind"`
	ACVersion    string       `json:"acVersion"`
	Name         string       `json:"name"`
	Labels       []Pair       `json:"labels"`
	Dependencies []Dependency `json:"dependencies"`
	// App is how to run the image; nil for one that is only to be built upon.
	App *App `json:"app"`
}

// Pair is a label or a variable.
type Pair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// App is how to run an image.
type App struct {
	Exec             []string `json:"exec"`
	Environment      []Pair   `json:"environment"`
	WorkingDirectory string   `json:"workingDirectory"`
}

// Dependency is an image that another is put upon.
type Dependency struct {
	ImageName string `json:"imageName"`
	ImageID   string `json:"imageID"`
	Labels    []Pair `json:"labels"`
}

// ParseManifest reads a manifest and makes sure that it is one.
func ParseManifest(data []byte) (*Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("%w: reading a manifest: %w", store.ErrInvalid, err)
	}
	switch {
	case m.ACKind != "ImageManifest":
		return nil, fmt.Errorf("%w: acKind is %q, want ImageManifest", store.ErrInvalid, m.ACKind)
	case m.ACVersion == "":
		return nil, fmt.Errorf("%w: a manifest without acVersion", store.ErrInvalid)
	case m.Name == "":
		return nil, fmt.Errorf("%w: a manifest without a name", store.ErrInvalid)
	}
	for _, d := range m.Dependencies {
		if d.ImageName == "" {
			return nil, fmt.Errorf("%w: a dependency without imageName", store.ErrInvalid)
		}
	}
	return &m, nil
}

// idPrefix is the only hash that image IDs have.
const idPrefix = "sha512-"

// CheckID refuses what is no image ID. One that passes is the name of a file.
func CheckID(id string) error {
	sum, ok := strings.CutPrefix(id, idPrefix)
	if !ok {
		return fmt.Errorf("%w: image ID %q: want %s first", store.ErrInvalid, id, idPrefix)
	}
	if raw, err := hex.DecodeString(sum); err != nil || len(raw) != 64 {
		return fmt.Errorf("%w: image ID %q: want 128 hexadecimal digits", store.ErrInvalid, id)
	}
	return nil
}

// defaults converts for those who run the image.
func (m *Manifest) defaults() store.Defaults {
	d := store.Defaults{Type: typeAppc}
	if m.App == nil {
		return d
	}
	d.Entrypoint, d.WorkingDir = m.App.Exec, m.App.WorkingDirectory
	for _, v := range m.App.Environment {
		d.Env = append(d.Env, v.Name+"="+v.Value)
	}
	return d
}
