//go:build image

package bundle

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"podman-executor/test/harness/gitlab"
)

// What breaks out of a job's container is user podman: neither the runner's
// configuration nor its way to podman is that user's.
func TestUserPodmanReachesNothingOfTheRunner(t *testing.T) {
	m := newMachine(t)
	m.setUp()
	for _, c := range []struct{ name, command, want string }{
		{"the secret", "cat /run/secrets/config.toml", "Permission denied"},
		{"the configuration", "cat /run/gitlab-runner/config.toml", "Permission denied"},
		{"the directory of the configuration", "ls /run/gitlab-runner", "Permission denied"},
		{"the socket", "curl --silent --show-error --unix-socket /run/podman-executor/podman.sock http://podman/_ping", "Could not connect|Couldn't connect"},
		{"the driver's log", "echo x >>/run/podman-executor/driver.log", "Permission denied"},
		{"the runner's directories", "ls /cache && ls /run/user/1001 && ls /home/runner || ls /run/user/1001 || ls /home/runner", "(?s)/cache.*denied.*1001.*denied.*runner.*denied"},
		{"the runner's environment", "cat /proc/$(pidof -s gitlab-runner)/environ", "Permission denied"},
		{"the runner itself", "kill -0 $(pidof -s gitlab-runner)", "Operation not permitted"},
		{"the programs of the driver", "echo x >>/usr/libexec/podman-executor/run", "Permission denied"},
		{"the policy", "echo x >>/etc/podman-executor/policy.toml", "Permission denied"},
		{"the units", "echo x >>/etc/systemd/system/podman.service", "Permission denied"},
		{"the ids", "echo podman:0:1 >>/etc/subuid", "Permission denied"},
		{"systemd", "systemctl restart runner.service", "(?i)denied|not permitted|authentication|connect"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := m.inside("podman", "bash", "-c", c.command)
			if err == nil || !regexp.MustCompile(c.want).MatchString(out) {
				t.Errorf("%s: %v, %q, want %q", c.command, err, out, c.want)
			}
		})
	}
}

// A job looks for what is not its own: secrets of the outer container, the socket,
// the volumes of another project.
func TestHostileJob(t *testing.T) {
	m := newMachine(t)
	m.setUp()
	other := gitlab.NewJob("other", "echo secret-of-the-other-project >secret.txt", "pwd")
	other.Info.ProjectID, other.Info.ProjectFullPath = 8, "group/other"
	succeeded(t, m.run(other))
	run := m.run(gitlab.NewJob("hostile",
		"ls -la /run/secrets /run/podman-executor/podman.sock /run/gitlab-runner /cache/.runner_system_id 2>&1 || true",
		"find / -xdev -name config.toml 2>/dev/null || true",
		"find /builds /cache -name secret.txt 2>/dev/null || true",
		"ls /home/podman /var/lib/containers 2>&1 || true",
		"(echo >/proc/sys/kernel/core_pattern) 2>&1 || true",
		"mount --bind / /mnt 2>&1 || true",
		"mknod /tmp/disk b 8 0 2>&1 || true",
		"grep -c . /proc/1/environ; tr '\\0' '\\n' </proc/1/environ | grep -i -E 'glrt|secret' || echo nothing secret",
		"(exec 3<>/dev/tcp/127.0.0.1/9252) 2>&1 || true",
		"echo the end"))
	succeeded(t, run)
	logs(t, run, "nothing secret", "the end", "/run/secrets': No such file", "/run/podman-executor/podman.sock': No such file", "9252: Connection refused")
	for _, text := range []string{"secret-of-the-other-project", "secret.txt\n/", token} {
		if strings.Contains(run.Log(), text) {
			t.Errorf("the job has seen %q", text)
		}
	}
}

// A job's network ends where the runner's metrics begin.
func TestMetricsAreNotForJobs(t *testing.T) {
	m := newMachine(t)
	m.setUp()
	out, err := m.inside("root", "curl", "--silent", "--fail", "http://127.0.0.1:9252/metrics")
	if err != nil || !strings.Contains(out, "gitlab_runner_version_info") {
		t.Errorf("the runner has no metrics: %v\n%.200s", err, out)
	}
	script := []string{"for host in 127.0.0.1 host.containers.internal pipglr $(hostname -i) 10.0.2.2 10.0.2.100 169.254.1.2; do curl --silent --max-time 3 http://$host:9252/metrics | grep -c gitlab_runner && echo reached by $host; done; true"}
	run := m.run(in(clientImage, gitlab.NewJob("metrics", script...)))
	succeeded(t, run)
	if strings.Contains(run.Log(), "\nreached by") {
		t.Errorf("the job reaches the runner's metrics:\n%s", run.Log())
	}
}

// privilegedFiles are the files that give who runs them more than they have.
var privilegedFiles = []string{
	"/usr/bin/newgidmap cap_setgid=ep",
	"/usr/bin/newuidmap cap_setuid=ep",
}

func TestNoFileGivesPrivileges(t *testing.T) {
	m := newMachine(t)
	out := m.do("podman run --rm --entrypoint bash $IMAGE -c 'find / -xdev -perm /6000 -type f; getcap -r / 2>/dev/null'")
	got := strings.Split(strings.TrimSpace(out), "\n")
	slices.Sort(got)
	if !slices.Equal(got, privilegedFiles) {
		t.Errorf("files that give privileges are %q, want %q", got, privilegedFiles)
	}
}

// systemd takes all units, none fails at boot, and gitlab-runner's is well closed.
func TestUnits(t *testing.T) {
	m := newMachine(t)
	m.setUp()
	if out, err := m.inside("root", "bash", "-c", "find /etc/systemd/system -maxdepth 1 -type f -print0 | xargs -0 systemd-analyze verify --man=no 2>&1"); err != nil || out != "" {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	if out, err := m.inside("root", "systemctl", "--failed", "--plain", "--no-legend"); err != nil || out != "" {
		t.Errorf("units that failed: %v\n%s", err, out)
	}
	out, err := m.inside("root", "systemd-analyze", "security", "--no-pager", "runner.service", "podman.service", "podman-executor-log.service", "podman-executor-prune.service", "podman-executor-disk.service")
	if err != nil {
		t.Fatalf("systemd-analyze security: %v\n%s", err, out)
	}
	exposure := regexp.MustCompile(`Overall exposure level for (\S+): ([0-9.]+)`).FindAllStringSubmatch(out, -1)
	levels := map[string]string{}
	for _, e := range exposure {
		t.Logf("figure: systemd-analyze security %s: %s", e[1], e[2])
		levels[e[1]] = e[2]
	}
	// Both have one drop-in.
	if prune, disk := levels["podman-executor-prune.service"], levels["podman-executor-disk.service"]; prune == "" || prune != disk {
		t.Errorf("the exposure of the units that clean up is %q and %q", prune, disk)
	}
	if out, _ := m.inside("root", "systemctl", "show", "--property", "TasksMax", "--value", "podman.service", "runner.service"); out != "infinity\n\ninfinity" {
		t.Errorf("TasksMax of podman and gitlab-runner are %q, want no limit", out)
	}
	var running []string
	users, err := m.inside("root", "bash", "-c", "stat --format %U /proc/[0-9]* 2>/dev/null | sort -u")
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range strings.Fields(users) {
		if !slices.Contains([]string{"root", "podman", "runner"}, user) {
			running = append(running, user)
		}
	}
	if len(running) > 0 {
		t.Errorf("processes run as other users than root, podman and runner: %s", fmt.Sprint(running))
	}
}
