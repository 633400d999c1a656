// Package executor is the command executor: it runs the one task of a
// framework that brings a command and no executor. The agent starts it, in the
// task's container and as the task's user, as "executord executor"; it speaks
// the v1 executor API to the agent by package client.
//
// It costs every task a process, so it imports little and keeps little.
//
// [Main] is the only caller of most of it; the machine in it is one goroutine
// to which events, the end of the command, and timers come.
package executor
