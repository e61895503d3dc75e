package main

import (
	"context"

	"podman-executor/test/harness/gitlab"
)

// projectPath is the path of the repository.
const projectPath = "parity/project"

// files are the project's.
var files = map[string][]byte{
	"README.md":     []byte("# A project\n"),
	"bin/hello":     []byte("#!/bin/sh\necho \"hello from a file of the repository\"\n"),
	"dir/data.txt":  []byte("some data\n"),
	".gitignore":    []byte("ignored/\n"),
	"dir/ümläut.md": []byte("a name outside ASCII\n"),
}

func addProject(ctx context.Context, server *gitlab.Server) (*gitlab.Repository, error) {
	return server.AddRepository(ctx, projectPath,
		gitlab.Commit{Message: "First", Files: map[string][]byte{"old.txt": []byte("old\n")}},
		gitlab.Commit{Message: "Second", Files: files})
}

// projectVariables are those of the project's settings, which no file has.
func (m *machine) projectVariables(job *gitlab.Job) {
	job.Variables = append(job.Variables,
		gitlab.Variable{Key: "REGISTRY", Value: m.registry.address, Public: true},
		gitlab.Variable{Key: "SECRET", Value: "a-masked-value", Masked: true},
		gitlab.Variable{Key: "FILE_VARIABLE", Value: "line one\nline two\n", File: true, Public: true},
		gitlab.Variable{Key: "LONG_VARIABLE", Value: longValue, Public: true, Raw: true})
}

// longValue is longer than a line of a terminal and has what shells mind.
const longValue = "quotes ' and \", a $dollar, a \\ and\nnew lines\n\ttabs; `ticks` && more"
