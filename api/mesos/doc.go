// Package mesos holds nothing but the proof that the packages below it are the wire of Mesos 1.11.
//
// Below it lies a public Go SDK: one Go package for each proto package. v1 and its children are the
// types of the HTTP APIs and, since the bytes are the same, also of the messages that masters, agents
// and native drivers exchange, which are in messages. mesosjson is the JSON they are written in.
package mesos
