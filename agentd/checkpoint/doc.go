// Package checkpoint keeps what the agent must not forget, below meta/ in its
// work directory. The engine is its only caller: it applies records before it
// acts on them, and recovers them all when it starts.
//
// # Schema, version 1
//
//	meta/
//	├── lock                                  held while an agent runs
//	├── boot_id                               text: the boot in which this was written
//	├── resources/
//	│   ├── current                           Resource… Operation… End
//	│   └── target                            likewise: a change of volumes under way
//	└── slaves/
//	    ├── latest -> <agent>
//	    └── <agent>/
//	        ├── agent.info                    AgentInfo End
//	        ├── drain.config                  DrainConfig End; while draining
//	        ├── resource_provider_registry    (Provider | GoneProvider)… End
//	        └── frameworks/<framework>/
//	            ├── framework.info            FrameworkInfo PID End
//	            └── executors/<executor>/
//	                ├── executor.info         ExecutorInfo Generated End
//	                └── runs/
//	                    ├── latest -> <container>
//	                    └── <container>/
//	                        ├── completed     empty: nothing is left to do
//	                        ├── libprocess.pid PID End; of an executor of the native driver
//	                        └── tasks/<task>/
//	                            ├── task.info     Task End
//	                            └── task.updates  (Update | Acknowledgement | Task)…; a Task
//	                                              ends what an earlier one of its ID left
//
// The directories have the names that Mesos gives them; the files don't have
// Mesos's contents. A file begins with the bytes "mck" and the version of the
// schema, then come records: length, CRC-32C, kind, payload (see frame). Files
// are replaced as a whole, but for task.updates, to which records are added.
//
// # Crashes
//
// Apply returns when its records are on the disk. Of a crash before that, any
// part of them may be there: whole files or not, and of a task.updates the
// beginning of what was added. Recover reads what is whole, and reports and skips
// what is not: a task.updates up to its first bad record, which is cut off there;
// another file with a bad record as a whole, with all that it stands for. What no
// crash leaves behind is damage, on which a strict Recover gives up.
package checkpoint
