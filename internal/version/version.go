// Package version says which Mesos this project answers as, and which build of it is running.
package version

import "runtime/debug"

// Mesos is the version of Mesos whose APIs are served. Clients split it at the points, turn each part
// into a number, and enable features by it, so it carries no suffix.
const Mesos = "1.11.0"

// build is set by the linker to the project's own version.
var build string

// Build is the project's own version: what the linker was given, or the revision that Go recorded.
func Build() string {
	if build != "" {
		return build
	}
	return setting("vcs.revision", "unknown")
}

// Revision is the commit that was built, empty if Go did not record it.
func Revision() string { return setting("vcs.revision", "") }

// Time is when that commit was made, in RFC 3339, empty if Go did not record it.
func Time() string { return setting("vcs.time", "") }

func setting(key, missing string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return missing
	}
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return missing
}
