package launch

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// start has the runtime create and start the container. The runtime ends after
// each, so the container's process becomes a child of this stage.
func (o *OCI) start() (int, error) {
	if err := o.prepareRoot(); err != nil {
		return 0, err
	}
	create := []string{"create", "--bundle", o.Bundle, "--pid-file", o.PIDFile}
	if o.ConsoleSocket != "" {
		create = append(create, "--console-socket", o.ConsoleSocket)
	}
	if err := o.run(append(create, o.ID)...); err != nil {
		return 0, err
	}
	data, err := os.ReadFile(o.PIDFile)
	if err != nil {
		return 0, errors.Join(err, o.run("delete", "--force", o.ID))
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(data)))
	if err != nil {
		return 0, errors.Join(err, o.run("delete", "--force", o.ID))
	}
	if err := o.run("start", o.ID); err != nil {
		return 0, errors.Join(err, o.run("delete", "--force", o.ID))
	}
	return pid, nil
}

// prepareRoot makes the container's root, which a runtime only takes as a directory: in
// a mount namespace of the stage's own. Nobody else sees the mounts, and the kernel
// removes them with the last process of the namespace, so they can't be leaked. Mounts that
// the node makes later arrive in it.
func (o *OCI) prepareRoot() error {
	if o.HostRoot == "" && len(o.Mounts) == 0 {
		return nil
	}
	if err := syscall.Unshare(syscall.CLONE_NEWNS); err != nil {
		return errors.New("making a mount namespace: " + err.Error())
	}
	if err := syscall.Mount("", "/", "", syscall.MS_SLAVE|syscall.MS_REC, ""); err != nil {
		return errors.New("making the mount namespace a slave: " + err.Error())
	}
	for _, m := range o.Mounts {
		if err := m.mount(); err != nil {
			return errors.New("mounting " + m.Target + ": " + err.Error())
		}
	}
	if o.HostRoot == "" {
		return nil
	}
	// The whole file system of the node: pivot_root(2) refuses a root that is the
	// present one.
	if err := syscall.Mount("/", o.HostRoot, "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil {
		return errors.New("binding the root on " + o.HostRoot + ": " + err.Error())
	}
	return nil
}

// run runs the runtime and waits for it. What it has to say in case of failure
// is on the container's stderr as well.
func (o *OCI) run(args ...string) error {
	argv := append(o.Runtime[:len(o.Runtime):len(o.Runtime)], args...)
	c := Command{Args: argv, Env: o.Env}
	path, err := c.executable()
	if err != nil {
		return err
	}
	pid, err := syscall.ForkExec(path, argv, &syscall.ProcAttr{
		Env:   c.environment(),
		Files: []uintptr{0, 1, 2},
	})
	if err != nil {
		return errors.New("executing " + strconv.Quote(path) + ": " + err.Error())
	}
	for {
		var status syscall.WaitStatus
		_, err := syscall.Wait4(pid, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return errors.New("waiting for " + path + ": " + err.Error())
		case status.Signaled():
			return errors.New(strings.Join(argv, " ") + ": " + status.Signal().String())
		case status.ExitStatus() != 0:
			return errors.New(strings.Join(argv, " ") + ": exit status " + strconv.Itoa(status.ExitStatus()))
		default:
			return nil
		}
	}
}
