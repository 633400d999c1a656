package launch

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// defaultPath is searched for commands whose environment has no PATH.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// start forks and executes the command in a session of its own.
func (c *Command) start() (int, error) {
	if len(c.Args) == 0 {
		return 0, errors.New("no command")
	}
	for _, l := range c.Rlimits {
		if err := setrlimit(l); err != nil {
			return 0, errors.New("setting resource limit " + strconv.Itoa(l.Resource) + ": " + err.Error())
		}
	}
	if c.OOMScoreAdj != nil {
		// Children inherit it, and the stage itself then has it too: it is to be
		// killed no later than what it looks after.
		if err := os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(*c.OOMScoreAdj)), 0); err != nil {
			return 0, errors.New("setting the OOM score: " + err.Error())
		}
	}
	if len(c.Namespaces) == 0 {
		return c.fork()
	}
	return c.forkInside()
}

// fork starts the command in the namespaces of the calling thread.
func (c *Command) fork() (int, error) {
	path, err := c.executable()
	if err != nil {
		return 0, err
	}
	pid, err := syscall.ForkExec(path, c.Args, &syscall.ProcAttr{
		Dir:   c.Dir,
		Env:   c.environment(),
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Setsid: true, Setctty: c.Terminal, Credential: c.credential()},
	})
	if err != nil {
		return 0, errors.New("executing " + strconv.Quote(path) + " in " + strconv.Quote(c.Dir) + ": " + err.Error())
	}
	return pid, nil
}

// setrlimit leaves it to the syscall package to tell the runtime of RLIMIT_NOFILE,
// which Go raises for itself and gives back to children.
func setrlimit(l Rlimit) error {
	return syscall.Setrlimit(l.Resource, &syscall.Rlimit{Cur: l.Soft, Max: l.Hard})
}

func (c *Command) credential() *syscall.Credential {
	if !c.SwitchUser {
		return nil
	}
	return &syscall.Credential{Uid: c.UID, Gid: c.GID, Groups: c.Groups}
}

// environment is Env with a PATH.
func (c *Command) environment() []string {
	if _, ok := c.lookup("PATH"); ok {
		return c.Env
	}
	return append(c.Env[:len(c.Env):len(c.Env)], "PATH="+defaultPath)
}

func (c *Command) lookup(name string) (string, bool) {
	for i := len(c.Env) - 1; i >= 0; i-- {
		if key, value, _ := strings.Cut(c.Env[i], "="); key == name {
			return value, true
		}
	}
	return "", false
}

// executable finds the command as execvp(3) does, but by the PATH of the
// command's own environment.
func (c *Command) executable() (string, error) {
	name := c.Path
	if name == "" {
		name = c.Args[0]
	}
	if strings.Contains(name, "/") {
		return name, nil
	}
	path, ok := c.lookup("PATH")
	if !ok {
		path = defaultPath
	}
	for dir := range strings.SplitSeq(path, ":") {
		if !strings.HasPrefix(dir, "/") {
			dir = c.Dir + "/" + dir
		}
		candidate := dir + "/" + name
		if info, err := os.Stat(candidate); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return candidate, nil
		}
	}
	return "", errors.New("executable " + strconv.Quote(name) + " not found in PATH " + strconv.Quote(path))
}
