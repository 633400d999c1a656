// Package flags reads settings the way the daemons of Mesos do: from
// "--name=value" on the command line and from MESOS_NAME in the environment,
// the command line first. Values are in Mesos's own notation ("15secs", "4KB"),
// and "file://…" stands for the contents of a file.
//
//	var cfg Config
//	fs := flags.New("masterd")
//	fs.Duration(&cfg.AgentPingTimeout, "agent_ping_timeout", 15*time.Second, "How long …")
//	fs.String(&cfg.WorkDir, "work_dir", "", "Where …", flags.Required())
//	flags.Optional(fs, &cfg.OfferTimeout, "offer_timeout", flags.DurationType, "After …")
//	if err := fs.Parse(os.Args[1:], os.Environ()); errors.Is(err, flags.ErrHelp) { fs.Usage(os.Stdout) }
//
// After Parse, Values is what the /flags endpoint shows. The package owns the
// notation, also for others who read durations and sizes from requests; which
// flags there are is up to the daemons.
package flags
