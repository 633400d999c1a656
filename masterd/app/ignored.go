package app

import (
	"slices"

	"github.com/mesos-operator/mesos-operator/internal/flags"
)

// What follows are flags of mesos-master that are accepted, so that command
// lines written for it work, and that have no effect here, yet or ever. /flags
// shows them as Mesos does.
//
// The defaults are those of mesos-master; "" is none.
var (
	ignoredValues = map[string]string{
		"logbufsecs":  "0",
		"modules":     "",
		"modules_dir": "",
		"webui_dir":   "/usr/local/share/mesos/webui",
	}
	ignoredSwitches = map[string]bool{
		"initialize_driver_logging": true,
		"log_auto_initialize":       true,
	}
)

// refusedValues would have the master use a module of somebody's.
var refusedValues = []string{"hooks", "master_contender", "master_detector"}

func defineIgnored(s *flags.Set) {
	for name, value := range ignoredValues {
		options := []flags.Option{flags.Hidden()}
		if value == "" {
			flags.Optional(s, new(*string), name, flags.PathType, "Has no effect.", options...)
		} else {
			flags.Var(s, new(string), name, value, flags.PathType, "Has no effect.", options...)
		}
	}
	for _, name := range refusedValues {
		flags.Optional(s, new(*string), name, flags.ModuleType, "Refused: modules can't be loaded.", flags.Hidden())
	}
	for name, value := range ignoredSwitches {
		s.Bool(new(bool), name, value, "Has no effect.", flags.Hidden())
	}
}

// Ignored returns the flags that were given and have no effect.
func (f *Flags) Ignored() []string {
	var names []string
	for name := range ignoredValues {
		if f.Set.Given(name) {
			names = append(names, name)
		}
	}
	for name := range ignoredSwitches {
		if f.Set.Given(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
