// localkube: the project's own single-machine Kubernetes, and what packs images
// for it. A module of its own: nothing here is part of the product, and it stays
// small, since it is what a fresh machine compiles before it can show progress.
module github.com/mesos-operator/mesos-operator/hack/localkube

go 1.26.0

require (
	github.com/google/go-cmp v0.7.0 // indirect
	github.com/google/go-containerregistry v0.22.1 // indirect
	github.com/vishvananda/netlink v1.3.1 // indirect
	github.com/vishvananda/netns v0.0.5 // indirect
	golang.org/x/mod v0.42.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
