// Package docker translates what a framework asks for by a container of type DOCKER, in the terms
// of "docker run", into what the containerizer launches without a Docker daemon: an image,
// volumes, a network and a set of options. It is pure; the containerizer calls it, and its isolator
// docker/container puts what comes out into the runtime's specification.
//
// # Nothing is dropped
//
// Each of docker.parameters is an option of "docker run" that is either honoured or refused by
// its name. An option is honoured without any work if it asks for what is so in any case: then
// it is listed here as well, so that another value of it is refused.
package docker
