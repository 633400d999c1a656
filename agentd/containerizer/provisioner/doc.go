// Package provisioner makes root file systems of images for containers. It knows stores,
// which have the images, and backends, which make directories of their layers; the
// containerizer is the only caller.
//
// # On disk
//
//	<work_dir>/provisioner/
//	└── containers/<container>/
//	    ├── layers                           what of the stores is in use, as JSON
//	    ├── backends/<backend>/
//	    │   ├── rootfses/<random>            a root file system; mounts on it only the container sees
//	    │   └── scratch/<random>/            an overlay's: upperdir, workdir, links
//	    └── containers/<nested container>/   likewise
//
// The names are Mesos's. A container can have several root file systems: that of its image, and
// those of volumes that are images.
//
// # What outlives what
//
// A directory is made before anything is in it, and removed when the container has ended. The
// agent's next life finds it: with a container that is known it stays, and all else is removed.
// The file "layers" is there before the layers are in use, so that no prune takes them away.
package provisioner
