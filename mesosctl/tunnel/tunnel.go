// Package tunnel finds a MesosCluster through a kubeconfig and opens connections to its pods through
// the Kubernetes API server, so that mesosctl works from wherever kubectl does.
package tunnel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/httpstream" //nolint:staticcheck // the type that client-go's spdy dialer returns
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
)

// Labels the operator puts on pods.
const (
	clusterLabel = "mesos.dev/cluster"
	leaderLabel  = "mesos.dev/leader"
)

var clusters = schema.GroupVersionResource{Group: "mesos.dev", Version: "v1alpha1", Resource: "mesosclusters"}

// ErrNoCluster is wrapped when the namespace does not hold the one cluster that is looked for.
var ErrNoCluster = errors.New("no MesosCluster to talk to")

// Tunnel reaches the pods of one MesosCluster.
type Tunnel struct {
	config    *rest.Config
	core      kubernetes.Interface
	namespace string
	cluster   string
	requests  atomic.Int64
}

// New finds the cluster. An empty name stands for the only one in the namespace.
func New(ctx context.Context, config *rest.Config, namespace, name string) (*Tunnel, error) {
	core, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	if name == "" {
		if name, err = onlyCluster(ctx, config, namespace); err != nil {
			return nil, err
		}
	}
	return &Tunnel{config: config, core: core, namespace: namespace, cluster: name}, nil
}

func onlyCluster(ctx context.Context, config *rest.Config, namespace string) (string, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return "", err
	}
	list, err := client.Resource(clusters).Namespace(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", fmt.Errorf("listing MesosClusters in namespace %q: %w", namespace, err)
	}
	var names []string
	for _, item := range list.Items {
		names = append(names, item.GetName())
	}
	switch len(names) {
	case 1:
		return names[0], nil
	case 0:
		return "", fmt.Errorf("%w: namespace %q has none; give --namespace, or --master", ErrNoCluster, namespace)
	}
	return "", fmt.Errorf("%w: namespace %q has %s; choose with --cluster", ErrNoCluster, namespace, strings.Join(names, ", "))
}

// Leader is the address of the leading master's pod, "ip:port", to be dialled with [Tunnel.Dial].
func (t *Tunnel) Leader(ctx context.Context) (string, error) {
	pods, err := t.pods(ctx, leaderLabel+"=true")
	if err != nil {
		return "", err
	}
	for _, pod := range pods {
		if pod.Status.PodIP != "" {
			return net.JoinHostPort(pod.Status.PodIP, masterPort(pod)), nil
		}
	}
	return "", fmt.Errorf("MesosCluster %s/%s has no leading master at the moment", t.namespace, t.cluster)
}

func masterPort(pod corev1.Pod) string {
	for _, c := range pod.Spec.Containers {
		for _, p := range c.Ports {
			if p.Name == "http" {
				return strconv.Itoa(int(p.ContainerPort))
			}
		}
	}
	return "5050"
}

func (t *Tunnel) pods(ctx context.Context, selector string) ([]corev1.Pod, error) {
	selector = strings.Trim(clusterLabel+"="+t.cluster+","+selector, ",")
	list, err := t.core.CoreV1().Pods(t.namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, fmt.Errorf("listing the pods of MesosCluster %s/%s: %w", t.namespace, t.cluster, err)
	}
	return list.Items, nil
}

// Dial connects to a port of the cluster's pod that has the host's address; it fits http.Transport.
func (t *Tunnel) Dial(ctx context.Context, _, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	pod, err := t.podAt(ctx, host, port)
	if err != nil {
		return nil, err
	}
	return t.forward(pod, address, port)
}

// podAt finds a pod by address. Agents share the address of their node, so the port decides.
func (t *Tunnel) podAt(ctx context.Context, host, port string) (string, error) {
	pods, err := t.pods(ctx, "")
	if err != nil {
		return "", err
	}
	candidate := ""
	for _, pod := range pods {
		if pod.Status.PodIP != host && pod.Spec.NodeName != host {
			continue
		}
		candidate = pod.Name
		for _, c := range pod.Spec.Containers {
			for _, p := range c.Ports {
				if strconv.Itoa(int(p.ContainerPort)) == port {
					return pod.Name, nil
				}
			}
		}
	}
	if candidate == "" {
		return "", fmt.Errorf("no pod of MesosCluster %s/%s has the address %s", t.namespace, t.cluster, host)
	}
	return candidate, nil
}

func (t *Tunnel) forward(pod, address, port string) (net.Conn, error) {
	transport, upgrader, err := spdy.RoundTripperFor(t.config)
	if err != nil {
		return nil, err
	}
	url := t.core.CoreV1().RESTClient().Post().Resource("pods").Namespace(t.namespace).Name(pod).SubResource("portforward").URL()
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	connection, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
	if err != nil {
		return nil, fmt.Errorf("port-forward to pod %s/%s: %w", t.namespace, pod, err)
	}
	conn, err := t.streams(connection, address, port)
	if err != nil {
		connection.Close()
		return nil, fmt.Errorf("port-forward to pod %s/%s: %w", t.namespace, pod, err)
	}
	return conn, nil
}

// streams opens the pair of streams that the protocol wants: one for errors, one for data.
func (t *Tunnel) streams(connection httpstream.Connection, address, port string) (net.Conn, error) {
	header := http.Header{}
	header.Set(corev1.StreamType, corev1.StreamTypeError)
	header.Set(corev1.PortHeader, port)
	header.Set(corev1.PortForwardRequestIDHeader, strconv.FormatInt(t.requests.Add(1), 10))
	errs, err := connection.CreateStream(header)
	if err != nil {
		return nil, err
	}
	errs.Close() // we never write to it
	header.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := connection.CreateStream(header)
	if err != nil {
		return nil, err
	}
	c := &conn{Stream: data, connection: connection, remote: address}
	go c.watch(errs)
	return c, nil
}

// conn makes a forwarded stream a net.Conn. It has no deadlines: requests are bounded by contexts.
type conn struct {
	httpstream.Stream
	connection httpstream.Connection
	remote     string
	failure    atomic.Pointer[error]
}

// watch waits for the API server's word that nothing listens on the port, and ends the connection.
func (c *conn) watch(errs io.Reader) {
	text, err := io.ReadAll(io.LimitReader(errs, 4<<10))
	if err == nil && len(text) > 0 {
		c.failure.Store(new(fmt.Errorf("port-forward: %s", text)))
		c.connection.Close()
	}
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Stream.Read(b)
	if failure := c.failure.Load(); err != nil && failure != nil {
		err = *failure
	}
	return n, err
}

func (c *conn) Close() error {
	c.Stream.Reset()
	return c.connection.Close()
}

type address string

func (a address) Network() string { return "tcp" }
func (a address) String() string  { return string(a) }

func (c *conn) LocalAddr() net.Addr              { return address("tunnel") }
func (c *conn) RemoteAddr() net.Addr             { return address(c.remote) }
func (c *conn) SetDeadline(time.Time) error      { return nil }
func (c *conn) SetReadDeadline(time.Time) error  { return nil }
func (c *conn) SetWriteDeadline(time.Time) error { return nil }
