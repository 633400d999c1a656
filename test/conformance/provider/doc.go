// Package provider tests the resource provider API: a provider of disks that
// speaks raw HTTP, in JSON and protobuf, to an agentd that is registered with a
// masterd, and frameworks that use its disks. All of them are killed in between.
package provider
