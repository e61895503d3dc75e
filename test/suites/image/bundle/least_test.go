//go:build image

package bundle

import (
	"strings"
	"testing"

	"podman-executor/test/harness/gitlab"
)

// The label runleast: without --privileged, jobs do what most jobs do.
func TestLeastPrivileges(t *testing.T) {
	m := newMachine(t)
	m.setUpBy("runleast")
	if out := m.do("podman inspect --format '{{.HostConfig.Privileged}} {{.HostConfig.CapAdd}}' " + container); out != "false [CAP_SYS_ADMIN]\n" {
		t.Errorf("the container is privileged, or has capabilities of more kinds: %s", out)
	}
	m.each([]kind{
		{"hello", hello},
		{"git and artifacts", gitAndArtifacts},
		{"services", services},
		{"a user of its own", userOfItsOwn},
		{"apt-get", aptGet},
		{"an image is built", buildsAnImage},
		{"cancel", cancelled},
	})
	if out, err := m.inside("root", "systemctl", "--failed", "--plain", "--no-legend"); err != nil || out != "" {
		t.Errorf("units that failed: %v\n%s", err, out)
	}
}

// containerfile is what the jobs build: from an image of the registry, with a RUN
// that needs a container.
const containerfile = `printf 'FROM docker.io/library/debian:trixie-slim\nRUN echo built by $(id -un) >/built\nCMD cat /built\n' >Containerfile`

// registries lets buildah in a job find the test's registry, as podman in the
// image does.
func registries(m *machine) string {
	m.Helper()
	text, err := m.inside("root", "cat", "/etc/containers/registries.conf.d/test.conf")
	if err != nil {
		m.Fatal(err)
	}
	return "mkdir -p /etc/containers/registries.conf.d && printf '%s\\n' '" + strings.ReplaceAll(text, "\n", "' '") + "' >/etc/containers/registries.conf.d/test.conf"
}

// An unprivileged job builds an image, with the settings of docs/image.md.
func buildsAnImage(m *machine) {
	job := in(buildahImage, gitlab.NewJob("build an image", registries(m), containerfile,
		"buildah build --tag out .", "buildah push --quiet out docker-archive:out.tar", "echo manifests: $(tar -tf out.tar | grep -c manifest.json)",
		"container=$(buildah from out)", "buildah run $container cat /built"))
	job.SetVariable("BUILDAH_ISOLATION", "chroot")
	job.SetVariable("STORAGE_DRIVER", "vfs")
	run := m.run(job)
	succeeded(m.T, run)
	logs(m.T, run, "manifests: 1", " built by root")
}

// A privileged job builds and runs one with podman as on any machine: what the
// build argument NESTED_PRIVILEGED=true makes of the policy.
func TestNestedPrivileged(t *testing.T) {
	m := newMachine(t)
	m.image = m.derive("privileged", map[string]string{"etc/podman-executor/policy.toml": strings.Replace(policy(t), "privileged = false", "privileged = true", 1)})
	m.setUp()
	job := in(buildahImage, gitlab.NewJob("podman in a job", registries(m), containerfile, "podman build --tag out .", "podman run --rm out | tr a-z A-Z"))
	job.SetVariable("STORAGE_DRIVER", "vfs")
	run := m.run(job)
	succeeded(t, run)
	logs(t, run, "BUILT BY ROOT")
	hostile := m.run(in(buildahImage, gitlab.NewJob("privileged and hostile",
		"find / -name config.toml 2>/dev/null || true", "(ls /run/secrets /proc/1/root/run/secrets; cat /proc/*/environ | tr '\\0' '\\n' | grep glrt) 2>&1 || true",
		"umount -a 2>/dev/null || true", "mount -t cgroup2 none /mnt && ls -d /mnt/system.slice/runner.service 2>&1 || true", "echo the end")))
	succeeded(t, hostile)
	logs(t, hostile, "the end")
	for _, text := range []string{token, "/etc/gitlab-runner/config.toml"} {
		if strings.Contains(hostile.Log(), text) {
			t.Errorf("the privileged job has seen %q", text)
		}
	}
}
