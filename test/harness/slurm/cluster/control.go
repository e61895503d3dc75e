package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"podman-executor/test/harness/slurm"
)

// listen takes orders by a socket that belongs to the test user.
func (c *cluster) listen() error {
	id, err := c.enter("id", "--user").Output()
	if err != nil {
		return fmt.Errorf("asking for the test user's id: %w", err)
	}
	uid, err := strconv.Atoi(strings.TrimSpace(string(id)))
	if err != nil {
		return fmt.Errorf("reading the test user's id: %w", err)
	}
	socket := slurm.Cluster(c.dir).Control()
	if c.listener, err = net.Listen("unix", socket); err != nil {
		return err
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		return err
	}
	go c.serve(c.listener)
	return os.Chown(socket, uid, -1)
}

// serve answers each connection's one line by another, one connection at a time, until the listener is closed.
func (c *cluster) serve(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		line, err := bufio.NewReader(connection).ReadString('\n')
		answer := "ok"
		if err == nil {
			err = c.obey(strings.Fields(line))
		}
		if err != nil {
			answer = strings.ReplaceAll(err.Error(), "\n", "; ")
		}
		_, _ = fmt.Fprintln(connection, answer)
		_ = connection.Close()
	}
}

// obey carries an order out: a verb and a node.
func (c *cluster) obey(order []string) error {
	if len(order) != 2 || !slices.Contains(slurm.Nodes, order[1]) {
		return fmt.Errorf("%q: want a verb and one of the nodes %q", order, slurm.Nodes)
	}
	verb, node := order[0], order[1]
	switch verb {
	case "kill":
		return c.killPlace(node)
	case "start":
		return c.startNode(node)
	case "drain":
		_, err := c.slurm("scontrol", "update", "nodename="+node, "state=drain", "reason=test")
		return err
	case "resume":
		_, err := c.slurm("scontrol", "update", "nodename="+node, "state=resume")
		return err
	}
	return fmt.Errorf("%q: want kill, start, drain or resume", verb)
}

// startNode starts a node that does not run, and waits until it takes jobs.
func (c *cluster) startNode(node string) error {
	c.mu.Lock()
	d := c.daemons[node]
	c.mu.Unlock()
	if d != nil && !d.ended() {
		return nil
	}
	if err := c.startDaemon(node, node, "slurmd", "-D", "-f", c.conf()); err != nil {
		return err
	}
	return c.waitNode(context.Background(), node)
}
