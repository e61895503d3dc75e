//go:build e2e

package e2e

import (
	"crypto/rand"
	"strings"
	"testing"

	"podman-executor/test/harness/gitlab"
)

// onPlatform gives a job a platform for its image.
func onPlatform(platform string, j gitlab.Job) gitlab.Job {
	j.Image.ExecutorOptions.Docker.Platform = platform
	return j
}

// nativeArch is the architecture of this machine.
func nativeArch(t *testing.T) string {
	t.Helper()
	return podman(t, "info", "--format", "{{.Host.Arch}}")
}

// list pushes an image for two platforms, and returns its name. Its programs are
// those of this machine in both.
func (r *registry) list(name string) string {
	r.Helper()
	list := "localhost/podman-executor/e2e-" + strings.ToLower(rand.Text())
	r.Cleanup(func() { _ = podmanCommand("rmi", "--force", list).Run() })
	podman(r.T, "manifest", "create", list)
	for _, arch := range []string{"amd64", "arm64"} {
		image := build(r.T, "FROM --platform=linux/"+nativeArch(r.T)+" "+busyboxImage+" AS base\nFROM scratch\nCOPY --from=base / /\nCOPY unique /unique\nENV MADE_FOR="+arch+"\n", "--platform=linux/"+arch)
		podman(r.T, "manifest", "add", list, "containers-storage:"+image)
	}
	r.podman("manifest", "push", "--all", "--authfile", r.authFile(), list, "docker://"+r.host+"/"+name)
	image := r.host + "/" + name
	r.Cleanup(func() { _ = podmanCommand("rmi", "--force", image).Run() })
	return image
}

// docker:platform decides on the pull, and on the look into the local storage; the
// name in the storage is that of the image that was pulled last.
func TestPlatform(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	image := r.list("reader/app:1")
	m := start(t, defaults(r.policy()))
	on := func(platform string) *gitlab.Run {
		j := onPlatform(platform, pulledBy(r.account, image, job("on "+platform, `echo "made for $MADE_FOR"`)))
		j.SetVariable("CPU", "aarch64")
		return m.run(j)
	}
	native, foreign := "amd64", "arm64"
	if nativeArch(t) == foreign {
		native, foreign = foreign, native
	}
	for _, row := range []struct{ platform, log, want string }{
		{"", "pulled in", native},
		{"linux/" + foreign, "pulled in", foreign},
		{foreign, "found locally", foreign},
		{"", "pulled in", native},
		{"linux/" + native, "found locally", native},
		{"linux/$CPU", "", "arm64"},
		{"linux/arm64/v8", "found locally", "arm64"},
	} {
		run := on(row.platform)
		succeeded(t, run)
		logs(t, run, "Using image "+image, " in the user container: ", row.log, "made for "+row.want+"\n")
	}
	refused(t, on("linux/s390x"), "getting the image", "s390x")
	refused(t, on("windows/amd64"), `podman cannot run the platform "windows/amd64"`)
	refused(t, on("arm64;reboot"), `invalid platform "arm64;reboot"`)

	// An image that exists for one platform only is none for another.
	single := r.push(busyboxImage, "reader/single:1")
	j := onPlatform("linux/"+foreign, pulledBy(r.account, single, job("single", "echo ran")))
	refused(t, m.run(j), "the image is made for another platform: want linux/"+foreign)

	s := in(busyboxImage, job("service", "echo ran"))
	s.Credentials = []gitlab.Credential{r.credential(r.host)}
	s.Services = []gitlab.Image{service(image, "other")}
	s.Services[0].Command = []string{"sleep", "60"}
	s.Services[0].ExecutorOptions.Docker.Platform = foreign
	run := m.run(s)
	succeeded(t, run)
	logs(t, run, "Using image "+image+" for linux/"+foreign+" as the service other: ")
	s.Services[0].ExecutorOptions.Docker.Platform = "linux/s390x"
	refused(t, m.run(s), "getting the image", "s390x")
}

// With image_entry_point an image's own ENTRYPOINT runs, and one that swallows the
// script makes no green job.
func TestImageEntryPoint(t *testing.T) {
	t.Parallel()
	const wrapper = "localhost/podman-executor/wrapper:latest"
	hands := build(t, "FROM "+wrapper+"\nENTRYPOINT [\"wrapper\"]\n")
	speaks := build(t, "FROM "+busyboxImage+"\nENTRYPOINT [\"sh\", \"-c\", \"echo the entry point speaks >&2; exec \\\"$@\\\"\", \"entry\"]\n")
	swallows := build(t, "FROM "+busyboxImage+"\nENTRYPOINT [\"true\"]\n")
	fails := build(t, "FROM "+busyboxImage+"\nENTRYPOINT [\"sh\", \"-c\", \"exit 7\"]\n")
	m := start(t, defaults("image_entry_point = true"))
	script := `echo "ran, WRAPPED=$WRAPPED"`

	j := in(hands, job("hands over", script))
	j.AddAfterScript(`echo "after, WRAPPED=$WRAPPED"`)
	run := m.run(j)
	succeeded(t, run)
	logs(t, run, "ran, WRAPPED=yes\n", "after, WRAPPED=yes\n")
	run = m.run(in(speaks, job("speaks", script)))
	succeeded(t, run)
	// Two pipes: which comes first in the job log, nobody knows.
	logs(t, run, "the entry point speaks\n")
	logs(t, run, "ran, WRAPPED=\n")

	for _, image := range []string{swallows, "localhost/podman-executor/entrypoint:latest"} {
		run = m.run(in(image, job("swallows", script)))
		failed(t, run, "script_failure", 1)
		logs(t, run, "podman-executor: error: the entry point ended without running the script")
	}
	failed(t, m.run(in(fails, job("fails", script))), "script_failure", 7)

	// The job's own is the stronger, and [""] is none.
	for _, own := range [][]string{{""}, {"env"}} {
		j := in(swallows, job("cleared", script))
		j.Image.Entrypoint = own
		run = m.run(j)
		succeeded(t, run)
		logs(t, run, "ran, WRAPPED=\n")
	}
}
