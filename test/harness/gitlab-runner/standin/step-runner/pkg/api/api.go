// Package api stands in for gitlab.com/gitlab-org/step-runner/pkg/api, which says where a step-runner listens.
//
// Only native steps use it, which the custom executor does not offer; no job of it passes through here.
package api

import (
	"net"
	"os"
	"path/filepath"
)

// DefaultSocketPath returns where a step-runner would listen.
func DefaultSocketPath() string { return filepath.Join(os.TempDir(), "step-runner.sock") }

// SocketAddr returns the address of a socket.
func SocketAddr(path string) *net.UnixAddr { return &net.UnixAddr{Name: path, Net: "unix"} }
