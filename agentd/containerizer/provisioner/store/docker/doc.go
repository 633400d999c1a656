// Package docker is the store of Docker and OCI images. It gets them from registries, or
// from archives that "docker save" wrote.
//
// # On disk
//
//	<store_dir>/
//	├── images.json                 which images there are: reference, layers, configuration
//	├── configs/<digest>            an image's configuration, as it came
//	├── layers/<diff ID>/
//	│   ├── rootfs                  unpacked with whiteouts as files
//	│   └── rootfs.overlay          unpacked for the overlay
//	├── staging/<random>/           what is being unpacked
//	└── gc/<name>.<time>            what is being removed
//
// A layer is named by the hash of its uncompressed archive, which is what it is known to
// be afterwards: that of registries and archives is the same. It is unpacked below staging,
// checked, and renamed; images.json is written when all that it names is on disk.
//
// # References
//
// Names of images are read by the rules of Mesos's agents ([ParseReference]), which tell when a
// registry is spoken to without TLS: on port 80, and on this machine.
package docker
