// Package layer unpacks the layers of images into directories. Stores use it for
// what they downloaded, the copying backend for what is in a store.
//
// # What is trusted
//
// Nothing: who makes an image chooses every name, link and attribute in it, and
// the agent unpacks it as root. Hence
//
//   - names are taken below the directory. One with ".." in it refuses the layer; an
//     absolute one starts at the directory.
//   - the way to a name is walked with links resolved below the directory, as if that was
//     the root; the last step never follows a link.
//   - hard links lead to what is in the layer, and to nothing else.
//   - devices are left out: containers get theirs from the runtime, and a disk's node
//     with generous permissions would be a way around it.
//   - of extended attributes, user.* and file capabilities are kept. Those by which the
//     kernel's overlay finds its way (trusted.overlay.*) are ours alone.
//   - entries and bytes are bounded by [Limits].
//
// Set-user-ID bits and owners are kept, as images need them: the directory must be
// in one that only root can enter.
//
// # What a layer removes
//
// A layer removes files of those below it by "whiteouts": files named ".wh.<name>", and
// ".wh..wh..opq" for all of a directory. [Form] says what becomes of them.
package layer
