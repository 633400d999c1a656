package launch

// sysSetns is setns(2), which package syscall lacks on this architecture.
const sysSetns = 308
