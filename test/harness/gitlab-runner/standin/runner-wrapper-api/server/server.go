// Package server stands in for gitlab.com/gitlab-org/gitlab-runner/helpers/runner_wrapper/api/server, the gRPC server
// of the `wrapper` command, which this runner does not offer; no job passes through it.
package server

import "net"

// Server would serve the wrapper's interface.
type Server struct{}

// New returns a server that serves nothing. The arguments would be a logger and the wrapper.
func New(any, any) *Server { return &Server{} }

// Listen closes the listener, so that a client is turned away at once.
func (*Server) Listen(l net.Listener) { _ = l.Close() }

// Stop does nothing.
func (*Server) Stop() {}
