// Package console connects a terminal, or plain streams, with containers on
// agents: it runs commands beside a task (exec) and attaches to a task's own
// streams (attach). It uses what any Mesos 1.x agent serves:
// LAUNCH_NESTED_CONTAINER_SESSION, ATTACH_CONTAINER_INPUT and _OUTPUT.
//
// mesosctl/app is the only caller.
package console
