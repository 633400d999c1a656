// Package taskgroup is the default executor: it runs groups of tasks, each task
// in a container nested in the executor's own. The agent starts it as the
// subcommand "default-executor" of its binary; it speaks the v1 executor API to
// the agent by package client, and has the agent launch, await and kill the
// tasks' containers by package agentapi.
//
// # A group
//
//	LAUNCH_GROUP ── TASK_STARTING each ── containers launched ── TASK_RUNNING each
//	   one fails or is killed ──> the rest of its group is killed
//	   one finishes           ──> the others go on
//	no task is left, all updates are acknowledged ──> the executor ends
//
// Groups that come later run beside the first and don't share its fate.
//
// # While the agent is away
//
// Tasks run on. The client subscribes again and tells what is unacknowledged; calls
// about containers are repeated until they are answered, so that the executor
// learns of ends that it was not there to see.
//
// [Main] is the only caller. The machine is one goroutine: events, answers of the
// agent, and timers come to it one by one.
package taskgroup
