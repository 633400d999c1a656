package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/mesos-operator/mesos-operator/agentd/oversubscription"
	"github.com/mesos-operator/mesos-operator/internal/flags"
)

// builtin are the modules of Mesos that are built in. There is no way to load
// another one, so that others are refused: an agent that ignored its estimator
// or its hook would not be what its operator meant.
var builtin = []string{rotateLogger, oversubscription.FixedName, oversubscription.LoadName}

// moduleFlags are --modules and --modules_dir.
type moduleFlags struct {
	given     *json.RawMessage
	directory *string
}

func (f *moduleFlags) define(s *flags.Set) {
	flags.Optional(s, &f.given, "modules", flags.JSONType, "Parameters of built-in modules, in Mesos's form. Others are refused.")
	s.OptionalString(&f.directory, "modules_dir", "Directory with files in that form, read in the order of their names.")
}

// modules are the parameters of modules by the modules' names.
type modules map[string][]parameter

type parameter struct{ Key, Value string }

// modules reads the flags.
func (f *moduleFlags) modules() (modules, error) {
	switch {
	case f.given != nil && f.directory != nil:
		return nil, errors.New("only one of --modules and --modules_dir can be given")
	case f.given != nil:
		out := modules{}
		return out, out.add("--modules", *f.given)
	case f.directory != nil:
		return readModules(*f.directory)
	}
	return nil, nil
}

func readModules(directory string) (modules, error) {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil, fmt.Errorf("--modules_dir: %w", err)
	}
	out := modules{}
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(directory, entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("--modules_dir: %w", err)
		}
		if err := out.add("--modules_dir: "+entry.Name(), text); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// add takes what one JSON object says. Libraries have no meaning here.
func (m modules) add(source string, text []byte) error {
	var in struct {
		Libraries []struct {
			Modules []struct {
				Name       string
				Parameters []parameter
			}
		}
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return fmt.Errorf("%s: %w", source, err)
	}
	for _, library := range in.Libraries {
		for _, module := range library.Modules {
			if !slices.Contains(builtin, module.Name) {
				return fmt.Errorf("%s: module %q is not built in, and none can be loaded; there are %q", source, module.Name, builtin)
			}
			if before, twice := m[module.Name]; twice && !slices.Equal(before, module.Parameters) {
				return fmt.Errorf("%s: module %q is there twice, with other parameters", source, module.Name)
			}
			m[module.Name] = module.Parameters
		}
	}
	return nil
}
