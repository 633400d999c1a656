// Package profiler serves what libprocess has for profiling a daemon: /profiler/start and
// /profiler/stop for the time it spends, and /memory-profiler/… for the memory it uses.
// The switches, statuses and shapes are Mesos's, so that its runbooks work; the profiles are
// Go's own, in the form that `go tool pprof` reads.
//
//	p := profiler.New(profiler.Config{CPU: os.Getenv("LIBPROCESS_ENABLE_PROFILER") == "1", Memory: flags.MemoryProfiling})
//	for path, h := range p.Endpoints() { … } // those that are switched on, and refusals
//
// Whoever registers the handlers authenticates those who ask. The httpapi packages of
// masterd and agentd do; a process has one Profiler.
package profiler
