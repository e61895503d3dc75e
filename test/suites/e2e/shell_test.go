//go:build e2e

package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"podman-executor/test/harness/runner"
)

// withShell is the usual config.toml with another shell.
func withShell(shell string) func(runner.Config) string {
	return func(c runner.Config) string {
		return strings.Replace(runner.Usual(c), `shell = "bash"`, `shell = "`+shell+`"`, 1)
	}
}

func TestShellSh(t *testing.T) {
	t.Parallel()
	m := startConfigured(t, 1, defaults(), withShell("sh"))
	for _, image := range []string{busyboxImage, debianImage, userImage} {
		j := in(image, m.cloneOnce("sh", "cat README", "echo status $((40 + 2))", "exit 7"))
		j.AddAfterScript("echo after_script, $CI_JOB_STATUS")
		run := m.run(j)
		failed(t, run, "script_failure", 7)
		logs(t, run, "second", "status 42", "after_script, failed")
	}
}

// standIn is for a PowerShell, which cannot be had here: it shows how it was
// called and what with, and ends with 42 where the script says so.
const standIn = `#!/bin/sh
echo "pwsh $*" as "$(id -u)"
shift $(($# - 1))
head -n 1 "$1"
grep -a -o 'Write-Output [a-z]*' "$1"
if grep -q 'exit 42' "$1"; then exit 42; fi
exit 0
`

func TestShellPwsh(t *testing.T) {
	t.Parallel()
	image := "localhost/podman-executor/e2e-pwsh:latest"
	dir := t.TempDir()
	write(t, filepath.Join(dir, "pwsh"), standIn)
	write(t, filepath.Join(dir, "Containerfile"), "FROM "+debianImage+"\nCOPY --chmod=0755 pwsh /opt/pwsh/pwsh\nENV PATH=/opt/pwsh:/usr/bin:/bin\n")
	podman(t, "build", "--quiet", "--tag", image, dir)
	t.Cleanup(func() { podman(t, "rmi", "--force", image) })

	m := startConfigured(t, 1, defaults(`runner_image = "`+image+`"`), withShell("pwsh"))
	const called = "pwsh -NoProfile -NonInteractive -ExecutionPolicy Bypass -File /run/podman-executor/script.ps1 as "
	j := in(image, job("pwsh", "Write-Output hello"))
	j.Image.ExecutorOptions.Docker.User = "1234"
	j.AddAfterScript("Write-Output bye")
	run := m.run(j)
	succeeded(t, run)
	logs(t, run, called+"0\n#!/usr/bin/env pwsh\n", called+"1234\n#!/usr/bin/env pwsh\nWrite-Output hello\n", called+"1234\n", "Write-Output bye\n")
	failed(t, m.run(in(image, job("exit code", "exit 42"))), "script_failure", 42)

	const missing = "podman-executor: error: the script is for PowerShell, and the image has no pwsh\npodman-executor: hint: use an image with PowerShell"
	for _, other := range []string{debianImage, busyboxImage} {
		run = m.run(in(other, job("no pwsh", "Write-Output never")))
		failed(t, run, "script_failure", 127)
		logs(t, run, missing)
	}

	m = startConfigured(t, 1, defaults(), withShell("pwsh"))
	run = m.run(in(image, job("no pwsh in the runner image", "Write-Output never")))
	failed(t, run, "runner_system_failure", 0)
	logs(t, run, missing, "podman-executor-run: error: the runner image has no pwsh", "podman-executor-run: hint: add PowerShell to the image of runner_image")
	lacks(t, run, "Write-Output")

	m = startConfigured(t, 1, defaults(), withShell("powershell"))
	run = m.run(in(image, job("Windows", "Write-Output never")))
	failed(t, run, "runner_system_failure", 0)
	logs(t, run, "podman-executor-run: error: the script is for a shell that this driver does not know", `podman-executor-run: hint: set shell to "bash", "sh" or "pwsh"`)
	lacks(t, run, "Write-Output")
}
