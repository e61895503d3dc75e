package podman

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// Version is the version of podman, or of the podman service if there is one.
type Version struct {
	Version string
	// OSArch is the machine's platform, such as "linux/amd64".
	OSArch string `json:"OsArch"`
	// Service reports whether it is the version of a podman service.
	Service bool `json:"-"`
}

// Native returns the machine's platform; the zero Platform if podman does not report it.
func (v Version) Native() Platform {
	os, arch, _ := strings.Cut(v.OSArch, "/")
	return Platform{OS: os, Arch: arch}
}

// Version returns the version of podman, or of the service where there is one.
func (p *Podman) Version(ctx context.Context) (Version, error) {
	out, err := p.Output(ctx, "version", "--format", "json")
	if err != nil {
		return Version{}, err
	}
	var v struct{ Client, Server *Version }
	if err := json.Unmarshal(out, &v); err != nil {
		return Version{}, fmt.Errorf("podman version: reading its output: %w", err)
	}
	switch {
	case v.Server != nil && v.Server.Version != "":
		v.Server.Service = true
		return *v.Server, nil
	case v.Client != nil && v.Client.Version != "":
		return *v.Client, nil
	}
	return Version{}, fmt.Errorf("podman version: no version in its output")
}

// Info is what podman reports about the machine that containers run on: with a service, the
// service's machine.
type Info struct {
	// CgroupVersion is "v1" or "v2".
	CgroupVersion string `json:"cgroupVersion"`
	// Controllers are the cgroup controllers that podman's containers can have:
	// none with v1 and without root (containers/common pkg/cgroups).
	Controllers []string `json:"cgroupControllers"`
	// Runtime is the OCI runtime: "crun" and "crun version 1.8.1\n…".
	Runtime struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	} `json:"ociRuntime"`
	// Network is the network backend, which creates networks and resolves names in them:
	// "netavark 1.4.0". podman reports it from 4.4 on.
	Network struct {
		Version string `json:"version"`
		DNS     struct {
			Version string `json:"version"`
		} `json:"dns"`
	} `json:"networkBackendInfo"`
	// FreeLocks is how many more containers, pods and volumes podman can have. podman reports
	// it from 4.7 on; nil before.
	FreeLocks *int `json:"freeLocks"`
	// Containers is how many there are, running or not.
	Containers int `json:"-"`
	// GraphDriver is "overlay" or "vfs", GraphRoot the directory of the storage.
	GraphDriver string `json:"-"`
	GraphRoot   string `json:"-"`
	// GraphAllocated is the size of GraphRoot's file system, GraphUsed how much of it is used,
	// by anything; in bytes.
	GraphAllocated int64 `json:"-"`
	GraphUsed      int64 `json:"-"`
}

// Info runs `podman info` and returns what it reports about the machine and the storage.
func (p *Podman) Info(ctx context.Context) (Info, error) {
	out, err := p.Output(ctx, "info", "--format", "json")
	if err != nil {
		return Info{}, err
	}
	var answer struct {
		Host  *Info `json:"host"`
		Store struct {
			GraphDriverName string `json:"graphDriverName"`
			GraphRoot       string `json:"graphRoot"`
			Allocated       int64  `json:"graphRootAllocated"`
			Used            int64  `json:"graphRootUsed"`
			Containers      struct {
				Number int `json:"number"`
			} `json:"containerStore"`
		} `json:"store"`
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return Info{}, fmt.Errorf("podman info: reading its output: %w", err)
	}
	if answer.Host == nil {
		return Info{}, fmt.Errorf("podman info: no host in its output")
	}
	answer.Host.GraphDriver, answer.Host.GraphRoot = answer.Store.GraphDriverName, answer.Store.GraphRoot
	answer.Host.Containers = answer.Store.Containers.Number
	answer.Host.GraphAllocated, answer.Host.GraphUsed = answer.Store.Allocated, answer.Store.Used
	return *answer.Host, nil
}

// Count returns how many objects of a kind there are: "volume", "network".
func (p *Podman) Count(ctx context.Context, kind string) (int, error) {
	out, err := p.Output(ctx, kind, "ls", "--quiet")
	return bytes.Count(out, []byte("\n")), err
}
