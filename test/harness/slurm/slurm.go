// Package slurm lets tests that run without privileges use and disturb the Slurm cluster that slurm-cluster
// (test/harness/slurm/cluster) has started around them.
package slurm

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Variable names the environment variable with the cluster's directory. Its name begins so that test/harness/host/run hands it on.
const Variable = "PODMAN_EXECUTOR_SLURM"

// Names of files in the cluster's directory.
const (
	conf    = "slurm.conf"
	control = "control"
)

// Nodes are the names of the cluster's nodes. Each has CPUs CPUs and Memory MiB for jobs; the figures are configured, not
// the machine's.
var Nodes = []string{"n1", "n2"}

const (
	CPUs   = 2
	Memory = 2000
)

// Names of the cluster's partitions. Jobs in High end jobs in Low that are in their way.
const (
	Main  = "main"  // the default: both nodes
	Short = "short" // both nodes, one minute at most
	Low   = "low"   // n2 alone
	High  = "high"  // n2 alone
)

// answerTime is longer than a node may take to start.
const answerTime = time.Minute

// Cluster is the directory of a running cluster.
type Cluster string

// Open returns the cluster that the environment names, or an error that says how to get one.
func Open() (Cluster, error) {
	dir := os.Getenv(Variable)
	if dir == "" {
		return "", fmt.Errorf("%s is not set: run `make test-cluster`", Variable)
	}
	return Cluster(dir), nil
}

// Conf is the path of slurm.conf, for SLURM_CONF.
func (c Cluster) Conf() string { return filepath.Join(string(c), conf) }

// Control is the path of the socket that takes the orders of this package's methods.
func (c Cluster) Control() string { return filepath.Join(string(c), control) }

// Kill ends all processes of a node at once, those of containers included, as a loss of power would. Slurm is not told.
func (c Cluster) Kill(node string) error { return c.order("kill", node) }

// Start starts a node that was killed, and waits until it takes jobs. It does nothing to a node that runs.
func (c Cluster) Start(node string) error { return c.order("start", node) }

// Drain lets a node take no further jobs.
func (c Cluster) Drain(node string) error { return c.order("drain", node) }

// Resume undoes Drain.
func (c Cluster) Resume(node string) error { return c.order("resume", node) }

// order sends one line and returns the answer: nil for "ok", else what went wrong.
func (c Cluster) order(verb, node string) error {
	answer, err := c.ask(verb + " " + node)
	if err != nil {
		return fmt.Errorf("telling the cluster %q: %w", verb+" "+node, err)
	}
	if answer != "ok" {
		return fmt.Errorf("telling the cluster %q: %w", verb+" "+node, errors.New(answer))
	}
	return nil
}

func (c Cluster) ask(line string) (string, error) {
	connection, err := net.Dial("unix", c.Control())
	if err != nil {
		return "", err
	}
	defer func() { _ = connection.Close() }()
	if err := connection.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintln(connection, line); err != nil {
		return "", err
	}
	answer, err := bufio.NewReader(connection).ReadString('\n')
	return strings.TrimSuffix(answer, "\n"), err
}
