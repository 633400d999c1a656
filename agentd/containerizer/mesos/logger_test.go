package mesos

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func variable(c *mesos.CommandInfo, name, value string) {
	if c.Environment == nil {
		c.Environment = &mesos.Environment{}
	}
	c.Environment.Variables = append(c.Environment.Variables, &mesos.Environment_Variable{Name: &name, Value: &value})
}

// TestRotation lets a container write more than its log files may have, the last of
// it just before it ends.
func TestRotation(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		cfg.Logger = Logger{Stdout: Rotation{MaxSize: 4096, Keep: 2}, Prefix: "LOG_"}
		m := agent(t, cfg)
		c := sh(t, cfg, "c1", `i=0; while [ $i -lt 1000 ]; do printf 'line %010d\n' $i; i=$((i+1)); done; seq 5 >&2; echo end`)
		variable(c.Command, "LOG_MAX_STDERR_SIZE", "8KB")
		launch(t, m, c)
		if end := wait(t, m, c.ID); end.Status == nil || end.Status.ExitStatus() != 0 {
			t.Fatalf("it ended with %+v", end)
		}
		var all string
		for _, name := range []string{"stdout.2", "stdout.1", "stdout"} {
			info, err := os.Stat(filepath.Join(c.Sandbox, name))
			if err != nil {
				t.Fatal(err)
			}
			if name != "stdout" && info.Size() != 4096 || info.Size() > 4096 {
				t.Errorf("%s has %d bytes", name, info.Size())
			}
			all += read(t, c, name)
		}
		var full strings.Builder
		for i := range 1000 {
			fmt.Fprintf(&full, "line %010d\n", i)
		}
		full.WriteString("end\n")
		if !strings.HasSuffix(full.String(), all) || len(all) < 2*4096 {
			t.Errorf("the files have %d bytes that are not the last that were written:\n%s", len(all), all)
		}
		if _, err := os.Stat(filepath.Join(c.Sandbox, "stdout.3")); err == nil {
			t.Error("a file too many was kept")
		}
		if got := read(t, c, "stderr"); got != "1\n2\n3\n4\n5\n" {
			t.Errorf("stderr has %q", got)
		}
	})
}

func TestLoggerOfCommand(t *testing.T) {
	tests := map[string]struct {
		name, value string
		want        Logger
		fails       bool
	}{
		"nothing":          {"PATH", "/bin", Logger{Stdout: Rotation{MaxSize: 1 << 20}}, false},
		"size":             {"LOG_MAX_STDOUT_SIZE", "2MB", Logger{Stdout: Rotation{MaxSize: 2 << 20}}, false},
		"options":          {"LOG_LOGROTATE_STDERR_OPTIONS", "compress\nrotate 9", Logger{Stdout: Rotation{MaxSize: 1 << 20}, Stderr: Rotation{Keep: 9}}, false},
		"without prefix":   {"MAX_STDOUT_SIZE", "2MB", Logger{Stdout: Rotation{MaxSize: 1 << 20}}, false},
		"less than a page": {"LOG_MAX_STDOUT_SIZE", "1KB", Logger{}, true},
		"no size":          {"LOG_MAX_STDERR_SIZE", "much", Logger{}, true},
		"no number":        {"LOG_LOGROTATE_STDOUT_OPTIONS", "rotate some", Logger{}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := &mesos.CommandInfo{}
			variable(c, tt.name, tt.value)
			got, err := Logger{Stdout: Rotation{MaxSize: 1 << 20}, Prefix: "LOG_"}.of(c)
			if (err != nil) != tt.fails {
				t.Fatal(err)
			}
			tt.want.Prefix = "LOG_"
			if !tt.fails && got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
		})
	}
}

// TestRotationOfUser has another user's container write more than a file may have: each file
// is that user's, whom it is written for.
func TestRotationOfUser(t *testing.T) {
	privileged(t, func(t *testing.T, cfg Config) {
		dir, err := os.MkdirTemp("/tmp", "containerizer") // others may not enter t.TempDir
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		cfg.WorkDir, cfg.Logger = dir, Logger{Stdout: Rotation{MaxSize: 4096, Keep: 1}}
		m := agent(t, cfg)
		c := sh(t, cfg, "c1", `i=0; while [ $i -lt 300 ]; do printf 'line %010d\n' $i; i=$((i+1)); done`)
		c.User = "nobody"
		if err := os.Chown(c.Sandbox, 65534, 65534); err != nil {
			t.Fatal(err)
		}
		launch(t, m, c)
		if end := wait(t, m, c.ID); end.Status == nil || end.Status.ExitStatus() != 0 {
			t.Fatalf("it ended with %+v", end)
		}
		for name, size := range map[string]int64{"stdout.1": 4096, "stdout": 300*16 - 4096} {
			info, err := os.Stat(filepath.Join(c.Sandbox, name))
			if err != nil {
				t.Fatal(err)
			}
			if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 65534 || info.Size() != size {
				t.Errorf("%s is of user %d and has %d bytes, want 65534 and %d", name, uid, info.Size(), size)
			}
		}
	})
}
