// Package oversubscription decides what an agent lends of what its tasks have
// but don't use, and when it takes that back: Mesos's resource estimators and
// QoS controllers.
//
// An [Estimator] says how much more may be lent, as revocable resources, and a
// [Controller] which executors have to go so that the others don't suffer. Both
// look at a [Usage] and answer; they keep nothing and start nothing. The two of
// Mesos that are not for tests only are here, [Fixed] and [Load].
//
// agentd/app makes them from the flags, agentd/engine asks them.
package oversubscription
