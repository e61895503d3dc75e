//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"podman-executor/test/harness/gitlab"
)

// inEachMode runs a test where containers stay, and where one starts for each step.
func inEachMode(t *testing.T, policy []string, test func(*testing.T, *machine)) {
	for name, more := range map[string][]string{"containers stay": nil, "a container for each step": {"start_per_step = true"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start(t, defaults(slices.Concat(policy, more)...)))
		})
	}
}

// What GitLab's documentation says that an entry point may be runs the script, and so do others that people write.
func TestEntryPointsThatRunTheScript(t *testing.T) {
	t.Parallel()
	inEachMode(t, nil, func(t *testing.T, m *machine) {
		for _, row := range []struct {
			image   string
			entries [][]string
		}{
			{busyboxImage, [][]string{{"/bin/sh", "-c"}, {"sh", "-c"}, {"/bin/sh", "-c", `exec "$@"`, "--"}}},
			{"localhost/podman-executor/sh-only:latest", [][]string{{"/bin/sh", "-c"}}},
			{debianImage, [][]string{{"/bin/sh", "-c"}, {"/bin/bash", "-c"}, {"/bin/bash", "-l", "-c"}, {"/usr/bin/env", "sh", "-c"}, {"/bin/bash", "-lc"}, {"bash"}}},
		} {
			for _, entry := range row.entries {
				j := in(row.image, job(fmt.Sprint(entry), "echo ran; exit 7"))
				j.Image.Entrypoint = entry
				j.AddAfterScript("echo after")
				run := m.run(j)
				failed(t, run, "script_failure", 7)
				logs(t, run, "ran\n", "after\n")
			}
		}
	})
}

// The same entry points as an image's own, with image_entry_point.
func TestImageEntryPointWithShell(t *testing.T) {
	t.Parallel()
	images := []string{
		build(t, "FROM "+busyboxImage+"\nENTRYPOINT [\"/bin/sh\", \"-c\"]\n"),
		build(t, "FROM "+debianImage+"\nENTRYPOINT [\"/bin/bash\", \"-c\"]\n"),
	}
	inEachMode(t, []string{"image_entry_point = true"}, func(t *testing.T, m *machine) {
		for _, image := range images {
			run := m.run(in(image, job("entry", "echo ran; exit 7")))
			failed(t, run, "script_failure", 7)
			logs(t, run, "ran\n")
		}
	})
}

// An image that finds its programs only behind its own ENTRYPOINT: the log says why a program is not found, and what to write.
func TestImageThatNeedsItsEntryPoint(t *testing.T) {
	t.Parallel()
	image := build(t, "FROM "+busyboxImage+`
RUN mkdir -p /opt/x && printf '#!/bin/sh\necho the tool ran\n' >/opt/x/x-tool && printf '#!/bin/sh\nPATH=/opt/x:$PATH exec "$@"\n' >/e && chmod 755 /opt/x/x-tool /e
ENTRYPOINT ["/e"]
`)
	inEachMode(t, nil, func(t *testing.T, m *machine) {
		run := m.run(in(image, job("not run", "x-tool")))
		failed(t, run, "script_failure", 127)
		logs(t, run, `podman-executor-run: warning: exit code 127: a program was not found or cannot run, and the image's ENTRYPOINT ["/e"] does not run`)
		j := in(image, job("run by the job", "x-tool"))
		j.Image.Entrypoint = []string{"/e"}
		run = m.run(j)
		succeeded(t, run)
		logs(t, run, "the tool ran\n")
	})
	inEachMode(t, []string{"image_entry_point = true"}, func(t *testing.T, m *machine) {
		run := m.run(in(image, job("run by the policy", "x-tool")))
		succeeded(t, run)
		logs(t, run, "the tool ran\n")
	})
}

// An image's variables have their values in scripts, whatever they are called.
func TestVariablesOfTheImage(t *testing.T) {
	t.Parallel()
	variables := []string{
		"dir=/srv", "mode=release", "status=ok", "script=build.sh", "size=big", "shell=/bin/zsh", "umask=077", "words=w", "last=l", "n=5",
		"step=s", "steps=t", "stub=u", "pipes=p", "name=x", "clean=c", "root=r", "project=q", "GIT_CONFIG_COUNT=0",
	}
	image := build(t, "FROM "+busyboxImage+"\nENV "+strings.Join(variables, " ")+"\n")
	inEachMode(t, nil, func(t *testing.T, m *machine) {
		j := in(image, job("variables", "env"))
		j.AddAfterScript("env")
		run := m.run(j)
		succeeded(t, run)
		for _, variable := range variables {
			if n := count(run, "\n"+variable+"\n"); n != 2 {
				t.Errorf("%s is %d times in the log, want once for each script", variable, n)
			}
		}
	})
}

// A script's umask, directory and functions are the image's, whatever its profile says, unless the policy wants a login shell.
func TestProfileOfTheImage(t *testing.T) {
	t.Parallel()
	image := build(t, "FROM "+debianImage+"\nRUN printf '%s\\n' 'umask 077' 'cd /opt' 'export LANG=xx FROM_PROFILE=yes' 'mesg n' > /etc/profile.d/x.sh\n")
	script := `echo "umask $(umask), $PWD, LANG=$LANG, profile $FROM_PROFILE"`
	run := start(t, defaults()).run(in(image, job("no login shell", script)))
	succeeded(t, run)
	logs(t, run, "umask 0022, /builds/", ", LANG=, profile \n")
	run = start(t, defaults("login_shell = true")).run(in(image, job("login shell", script)))
	succeeded(t, run)
	logs(t, run, "umask 0077, /builds/", ", LANG=xx, profile yes\n")
}

// What a job configures for git by variables is in force in get_sources, beside what the driver configures there.
func TestGitConfigurationOfTheJob(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	image := build(t, "FROM localhost/podman-executor/git:latest\nUSER 1000\n")
	// The first job leaves a repository of another user, in which git of the second would do nothing.
	for range 2 {
		j := in(image, job("git configuration", "rm -rf .git && git init --quiet"))
		j.SetVariable("GIT_CONFIG_COUNT", "1")
		j.SetVariable("GIT_CONFIG_KEY_0", "user.name")
		j.SetVariable("GIT_CONFIG_VALUE_0", "somebody")
		succeeded(t, m.run(j))
	}
}

// With FF_DISABLE_UMASK_FOR_DOCKER_EXECUTOR files keep their modes, and belong to the image's user; without it everybody may write.
func TestUmaskFlag(t *testing.T) {
	t.Parallel()
	named := build(t, "FROM "+userImage+"\nUSER builder\n")
	for _, row := range []struct {
		image, flag string
		want        []string
	}{
		{debianImage, "false", []string{"777 0 .\n", "666 0 README\n"}},
		{debianImage, "true", []string{"755 0 .\n", "644 0 README\n"}},
		{userImage, "false", []string{"777 0 .\n", "666 0 README\n"}},
		{userImage, "true", []string{"to 1000:1000\n", "755 1000 .\n", "644 1000 README\n"}},
		{named, "true", []string{"to 1000:1000\n", "755 1000 .\n", "644 1000 README\n"}},
	} {
		m := start(t, defaults()) // with builds of its own: git leaves the modes of files that are there
		j := in(row.image, m.cloneOnce("umask", "stat -c '%a %u %n' . README", "touch made modules/sub/made", "chmod 600 \"$KEY\" || echo of somebody else"))
		j.SetVariable("FF_DISABLE_UMASK_FOR_DOCKER_EXECUTOR", row.flag)
		j.Variables = append(j.Variables, gitlab.Variable{Key: "KEY", Value: "secret", File: true})
		j.AddAfterScript("rm made")
		// Twice: what the first job gave away, the second one's git still changes.
		for range 2 {
			run := m.run(j)
			succeeded(t, run)
			logs(t, run, row.want...)
			if others := row.image != debianImage && row.flag == "false"; (count(run, "\nof somebody else\n") > 0) != others {
				t.Errorf("%s, flag %s: whose the file of a variable is", row.image, row.flag)
			}
		}
	}
}
