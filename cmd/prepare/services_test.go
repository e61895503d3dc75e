package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"podman-executor/internal/driver"
	"podman-executor/internal/job"
	"podman-executor/internal/spec"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// deadPodman says that every container has ended, and has the last lines of its log.
const deadPodman = `#!/bin/sh
case $1 in
container)
	while [ "$1" != -- ]; do shift; done
	shift
	for name; do echo "$name 0"; done ;;
logs) printf 'its last words\n\033[2Jand more\n' ;;
esac
`

// The author of a job sees the last lines of a service that has ended. Nothing in them moves
// the cursor.
func TestServiceThatHasEnded(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	program := filepath.Join(home, "podman")
	if err := os.WriteFile(program, []byte(deadPodman), 0o755); err != nil {
		t.Fatal(err)
	}
	pm := &podman.Podman{Program: program, Env: []string{"HOME=" + home, "PATH=" + podman.Path}}
	f := spec.Facts{Job: &job.Job{}, Policy: &policy.Policy{}, Variable: func(string) string { return "" }}
	f.Grant.Services = []policy.ServiceGrant{{Aliases: []string{"db"}, Added: true}}
	var out, errs bytes.Buffer
	in := inputs{call: &driver.Call{Program: "prepare", Stdout: &out, Stderr: &errs}, policy: f.Policy}
	if err := waitForServices(t.Context(), in, pm, f, spec.Plan(f), make([]podman.Image, 1)); err != nil {
		t.Fatal(err)
	}
	const want = "prepare: warning: the service db () probably didn't start properly: it has ended\n"
	if text := errs.String(); !strings.HasPrefix(text, want) || !strings.Contains(text, "[service:db] its last words\n") || strings.Contains(text, "\x1b") {
		t.Errorf("it says\n%q", text)
	}
	if got := out.String(); got != "Waiting for services to be up and running (timeout 30 seconds)...\n" {
		t.Errorf("it notes\n%q", got)
	}
}
