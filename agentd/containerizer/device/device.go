// Package device knows devices by their files: the kind and the numbers that the
// kernel calls them by, and what --allowed_devices says of them. Isolators use it.
package device

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// ErrNotDevice says that a file is neither a character nor a block device.
var ErrNotDevice = errors.New("not a device")

// Node is a device by its file.
type Node struct {
	// Path is the file's absolute name on the node.
	Path string
	// Type is "c" or "b".
	Type string
	// Major and Minor are the kernel's numbers.
	Major, Minor int64
}

// Stat looks a device up. root is a prefix by which the agent reaches the node's
// files.
func Stat(root, path string) (Node, error) {
	n := Node{Path: path}
	info, err := os.Stat(filepath.Join(root, path))
	if err != nil {
		return n, fmt.Errorf("device %s: %w", path, err)
	}
	switch {
	case info.Mode()&os.ModeCharDevice != 0:
		n.Type = "c"
	case info.Mode()&os.ModeDevice != 0:
		n.Type = "b"
	default:
		return n, fmt.Errorf("%s is %w", path, ErrNotDevice)
	}
	number := uint64(info.Sys().(*syscall.Stat_t).Rdev) //nolint:unconvert // 32 bits on some platforms
	n.Major, n.Minor = int64(unix.Major(number)), int64(unix.Minor(number))
	return n, nil
}

// Rule allows the device for some of the letters of "rwm" (read, write, mknod).
func (n Node) Rule(access string) specs.LinuxDeviceCgroup {
	return specs.LinuxDeviceCgroup{Allow: true, Type: n.Type, Major: &n.Major, Minor: &n.Minor, Access: access}
}

// Allowed is a device with what it is allowed for.
type Allowed struct {
	Node
	// Access are some of the letters of "rwm", at least one.
	Access string
}

// Whitelist looks up the devices of --allowed_devices. root is as in [Stat].
func Whitelist(root string, list *mesos.DeviceWhitelist) ([]Allowed, error) {
	var out []Allowed
	for _, a := range list.GetAllowedDevices() {
		path := a.GetDevice().GetPath()
		if path == "" {
			return nil, errors.New("an allowed device without a path")
		}
		access := letters(a.GetAccess())
		if access == "" {
			return nil, fmt.Errorf("device %s is allowed for nothing: want read, write or mknod", path)
		}
		n, err := Stat(root, path)
		if err != nil {
			return nil, err
		}
		out = append(out, Allowed{Node: n, Access: access})
	}
	return out, nil
}

func letters(a *mesos.DeviceAccess_Access) (access string) {
	if a.GetRead() {
		access += "r"
	}
	if a.GetWrite() {
		access += "w"
	}
	if a.GetMknod() {
		access += "m"
	}
	return access
}
