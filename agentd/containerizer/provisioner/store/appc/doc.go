// Package appc is the store of AppC images. Their name and labels tell where an image is
// to be found (simple discovery); operators can also put images into the store.
//
// # On disk
//
//	<store_dir>/
//	├── images/<image ID>/          "sha512-" and the hash of the uncompressed archive
//	│   ├── manifest
//	│   └── rootfs/
//	└── staging/<random>/           what is being unpacked
//
// The names are Mesos's, so that a store can be taken over. As in Mesos images stay until
// an operator removes them.
package appc
