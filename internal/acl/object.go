package acl

import (
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Object is what an action is done to. The zero Object stands for any: the
// request doesn't say.
type Object struct {
	named bool
	name  string
	// container is for executors and resource providers, who may deal with
	// their own.
	container *mesos.ContainerID
	// parent is the user of the executor that a container is launched under,
	// when a command for the container is given as well.
	parent *Object
}

// Any is an object that the request doesn't name.
var Any Object

// Named is an object with a name: a role, a user, a principal, a path.
func Named(name string) Object { return Object{named: true, name: name} }

// String is the name, or says that there is none.
func (o Object) String() string {
	if !o.named {
		return "any"
	}
	return o.name
}

// User is the user that something runs as.
func User(name string) Object { return Named(name) }

// Role is a role.
func Role(name string) Object { return Named(name) }

// Path is an endpoint of GetEndpoint.
func Path(path string) Object { return Named(path) }

// ReservedRole is the role that a resource is reserved for in the end, "*" if
// it isn't.
func ReservedRole(r *mesos.Resource) Object {
	if n := len(r.Reservations); n > 0 {
		return Role(r.Reservations[n-1].GetRole())
	}
	return Role(r.GetRole())
}

// AllowRolesOf decides about all roles that a resource is reserved for or allocated
// to, as ViewRole does for resources.
func (a Approver) AllowRolesOf(r *mesos.Resource) bool {
	if a.Always() {
		return true
	}
	if r.Role != nil && r.GetRole() != "*" && !a.Allow(Role(r.GetRole())) {
		return false
	}
	for _, reservation := range r.Reservations {
		if !a.Allow(Role(reservation.GetRole())) {
			return false
		}
	}
	return r.AllocationInfo == nil || a.Allow(Role(r.GetAllocationInfo().GetRole()))
}

// Reserver is the principal that reserved a resource; any, if it isn't known.
func Reserver(r *mesos.Resource) Object {
	if n := len(r.Reservations); n > 0 {
		return principalOf(r.Reservations[n-1])
	}
	return principalOf(r.GetReservation())
}

func principalOf(r *mesos.Resource_ReservationInfo) Object {
	if r == nil || r.Principal == nil {
		return Any
	}
	return Named(r.GetPrincipal())
}

// Creator is the principal that created a volume, "" if it isn't known.
func Creator(r *mesos.Resource) Object {
	return Named(r.GetDisk().GetPersistence().GetPrincipal())
}

// FrameworkPrincipal is the principal of a framework, for TeardownFramework.
func FrameworkPrincipal(f *mesos.FrameworkInfo) Object { return Named(f.GetPrincipal()) }

// UserOfTask is the user that a task is to run as, for RunTask and ViewTask.
func UserOfTask(t *mesos.TaskInfo, f *mesos.FrameworkInfo) Object {
	switch {
	case t.GetCommand() != nil && t.GetCommand().User != nil:
		return User(t.GetCommand().GetUser())
	case t.GetExecutor().GetCommand() != nil && t.GetExecutor().GetCommand().User != nil:
		return User(t.GetExecutor().GetCommand().GetUser())
	}
	return User(f.GetUser())
}

// UserOfExecutor is the user that an executor runs as.
func UserOfExecutor(e *mesos.ExecutorInfo, f *mesos.FrameworkInfo) Object {
	if e.GetCommand() != nil && e.GetCommand().User != nil {
		return User(e.GetCommand().GetUser())
	}
	return User(f.GetUser())
}

// Container is a container of an executor, for what is done to nested ones.
// The executor and its framework may be nil.
func Container(id *mesos.ContainerID, e *mesos.ExecutorInfo, f *mesos.FrameworkInfo) Object {
	var o Object
	switch {
	case e.GetCommand() != nil && e.GetCommand().User != nil:
		o = User(e.GetCommand().GetUser())
	case f != nil && f.User != nil:
		o = User(f.GetUser())
	case id != nil:
		o = Named(id.GetValue())
	}
	o.container = id
	return o
}

// NestedLaunch is a container that is to be launched below an executor's,
// running the command c, which may be nil.
func NestedLaunch(id *mesos.ContainerID, c *mesos.CommandInfo, e *mesos.ExecutorInfo, f *mesos.FrameworkInfo) Object {
	var parent Object
	switch {
	case e.GetCommand() != nil && e.GetCommand().User != nil:
		parent = User(e.GetCommand().GetUser())
	case f != nil && f.User != nil:
		parent = User(f.GetUser())
	}
	if c == nil {
		parent.container = id
		return parent
	}
	o := Object{container: id, parent: &parent}
	if c.User != nil {
		o.named, o.name = true, c.GetUser()
	}
	return o
}

// Standalone is a container without an executor.
func Standalone(id *mesos.ContainerID) Object { return Object{container: id} }

// rootOf is the container at the top of a nested one.
func rootOf(id *mesos.ContainerID) *mesos.ContainerID {
	for id.GetParent() != nil {
		id = id.GetParent()
	}
	return id
}
