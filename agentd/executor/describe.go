package executor

import (
	"fmt"
	"syscall"
)

// Describe tells how a process ended, in the words that clients of Mesos look for.
func Describe(status syscall.WaitStatus) string {
	switch {
	case status.Exited():
		return fmt.Sprintf("exited with status %d", status.ExitStatus())
	case status.Signaled():
		s := "terminated with signal " + signalName(status.Signal())
		if status.CoreDump() {
			s += " (core dumped)"
		}
		return s
	}
	return fmt.Sprintf("wait status %d", status)
}

// signalNames are those of the C library.
var signalNames = [...]string{
	1: "Hangup", 2: "Interrupt", 3: "Quit", 4: "Illegal instruction", 5: "Trace/breakpoint trap",
	6: "Aborted", 7: "Bus error", 8: "Floating point exception", 9: "Killed", 10: "User defined signal 1",
	11: "Segmentation fault", 12: "User defined signal 2", 13: "Broken pipe", 14: "Alarm clock",
	15: "Terminated", 16: "Stack fault", 17: "Child exited", 18: "Continued", 19: "Stopped (signal)",
	20: "Stopped", 21: "Stopped (tty input)", 22: "Stopped (tty output)", 23: "Urgent I/O condition",
	24: "CPU time limit exceeded", 25: "File size limit exceeded", 26: "Virtual timer expired",
	27: "Profiling timer expired", 28: "Window changed", 29: "I/O possible", 30: "Power failure",
	31: "Bad system call",
}

func signalName(s syscall.Signal) string {
	switch n := int(s); {
	case n > 0 && n < len(signalNames):
		return signalNames[n]
	case n >= 34 && n <= 64: // the first two are the C library's own
		return fmt.Sprintf("Real-time signal %d", n-34)
	default:
		return fmt.Sprintf("Unknown signal %d", n)
	}
}
