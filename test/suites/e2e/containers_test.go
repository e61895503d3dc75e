//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"podman-executor/test/harness/gitlab"
)

// container is a policy with lines of [general.podman.container], and such of
// [general.podman] before it.
func container(lines string, podman ...string) func(string) string {
	return defaults(append(podman, "[general.podman.container]\n"+lines)...)
}

// What the policy gives the user container is what a job finds.
func TestContainerKeys(t *testing.T) {
	t.Parallel()
	m := start(t, container(`hostname = "build-host"
shm_size = "32m"
oom_score_adjust = 500
devices = ["/dev/null:/dev/xnull", "/dev/fuse"]
cap_drop = ["ALL"]
cap_add = ["NET_RAW", "CAP_DAC_OVERRIDE"]
security_opt = ["no-new-privileges", "seccomp=unconfined"]
group_add = ["1234"]
dns_search = ["example.org"]
extra_hosts = ["db.example.org:192.0.2.7"]
ulimit = { nofile = "1000:2000", core = 0 }
tmpfs = { "/scratch" = "rw,size=8m,mode=1777", "/run" = "rw,noexec" }
sysctls = { "net.ipv4.ip_unprivileged_port_start" = 80 }`))
	run := m.run(m.clone("keys",
		`echo "host $(hostname)"`, `echo "files $(ulimit -Sn) of $(ulimit -Hn), core $(ulimit -c)"`,
		`echo "shm $(df --output=size -k /dev/shm | tail -1)"`, `echo "score $(cat /proc/self/oom_score_adj)"`,
		`echo x >/dev/xnull && echo "wrote to the device"`, `exec 3<>/dev/fuse && echo "opened fuse"`,
		`grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status`, `echo "groups $(id -G)"`,
		`grep -v '^#' /etc/resolv.conf`, `getent hosts db.example.org`,
		`grep -E ' (/scratch|/run) ' /proc/mounts`, `echo "port $(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)"`,
		"cat README"))
	succeeded(t, run)
	logs(t, run, "host build-host", "files 1000 of 2000, core 0", "32768", "score 500", "wrote to the device", "opened fuse",
		"CapEff:\t0000000000002002", "NoNewPrivs:\t1", "Seccomp:\t0", "groups 0 1234",
		"search example.org", "192.0.2.7", "second")
	logs(t, run, "tmpfs /run tmpfs rw", "noexec")
	logs(t, run, "tmpfs /scratch tmpfs rw", "size=8192k")
	logs(t, run, "port 80")
	lacks(t, run, "warning:")
}

// Without the table jobs have podman's own defaults, and podman is not asked about
// the machine.
func TestContainerDefaults(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	run := m.run(job("defaults", "grep -E 'NoNewPrivs|Seccomp:' /proc/self/status", "[ ! -e /dev/fuse ]"))
	succeeded(t, run)
	logs(t, run, "NoNewPrivs:\t0", "Seccomp:\t2")
	if log, err := os.ReadFile(filepath.Join(m.dir, "driver.log")); err != nil || strings.Contains(string(log), "podman info") {
		t.Errorf("podman was asked without a limit (%v)", err)
	}
}

const capabilities = `grep -q '^Seccomp:.0' /proc/self/status && [ -e /dev/fuse ] && echo "is privileged" || echo "has no privileges"`

func TestPrivileged(t *testing.T) {
	t.Parallel()
	m := start(t, container(`privileged = true
allowed_privileged_images = ['docker\.io/library/debian:.*']`))
	privileged := m.run(in(debianImage, job("privileged", capabilities)))
	succeeded(t, privileged)
	logs(t, privileged, "\nis privileged")
	other := m.run(in(busyboxImage, job("not on the list", capabilities)))
	succeeded(t, other)
	logs(t, other, "\nhas no privileges")
}

// A service has what its own table says, and not what that of the job says.
func TestServiceContainer(t *testing.T) {
	t.Parallel()
	m := start(t, container("shm_size = \"16m\"\n"+`
[general.podman.service_container]
memory = "1g"
privileged = true
allowed_privileged_images = ['localhost/podman-executor/redis:.*']
tmpfs = { "/scratch" = "size=8m" }`))
	j := in(clientsImage, job("services", "redis-cli -h cache blpop seen 60", capabilities))
	j.Services = []gitlab.Image{service(redisImage, "cache"), service(healthyImage, "web")}
	run := m.server.Submit(j)
	m.waitLog(run, "Executing \"step_script\"")
	name := strings.TrimSuffix(m.container(run, "user"), "user") + "service-"
	const shown = "{{.HostConfig.Privileged}} {{.HostConfig.Memory}} {{.HostConfig.ShmSize}} {{index .HostConfig.Tmpfs \"/scratch\"}}"
	cache, web := podman(t, "inspect", "--format", shown, name+"0"), podman(t, "inspect", "--format", shown, name+"1")
	podman(t, "exec", name+"0", "redis-cli", "lpush", "seen", "yes")
	m.wait(run)
	m.nothingLeft()
	succeeded(t, run)
	logs(t, run, "\nhas no privileges")
	for got, want := range map[string]string{cache: "true 1073741824 65536000 ", web: "false 1073741824 65536000 "} {
		if !strings.HasPrefix(got, want) || !strings.Contains(got, "size=8m") {
			t.Errorf("a service has %q, want %q", got, want)
		}
	}
}

// With an init as the first process a job is told to stop all the same.
func TestInit(t *testing.T) {
	t.Parallel()
	m := start(t, container("init = true"))
	j := job("init", append([]string{`echo "first is $(cat /proc/1/comm)"`}, endless...)...)
	j.AddAfterScript("echo after_script saw $CI_JOB_STATUS")
	run := m.server.Submit(j)
	m.waitLog(run, "tick")
	run.Cancel()
	m.wait(run)
	m.nothingLeft()
	logs(t, run, "tick", "after_script saw canceled")
	logs(t, run, "first is podman-init")
	failed(t, m.run(job("exit code", "exit 42")), "script_failure", 42)
}

// Processes of keep-id are podman's own user: clone, artifacts, after_script
// and the next job's fetch work.
func TestKeepID(t *testing.T) {
	t.Parallel()
	m := start(t, container(`userns_mode = "keep-id"`))
	j := m.cloneOnce("keep-id", `echo "user $(id -u)"`, "cat README", "mkdir -p made/by", "echo job >made/by/job", "touch README")
	j.AddAfterScript("cat made/by/job")
	j.Artifacts = []gitlab.Artifact{{Name: "made", Paths: []string{"made"}, Type: "archive", Format: "zip"}}
	run := m.run(j)
	succeeded(t, run)
	logs(t, run, fmt.Sprintf("user %d\n", podmansUser(t)), "second", "job")
	if len(run.Artifacts()) != 1 {
		t.Error("the artifact has not arrived")
	}
	next := m.run(m.cloneOnce("next", "[ ! -e made ]", "cat README"))
	succeeded(t, next)
	logs(t, next, "second")
}

// podmansUser is the user of the podman that has the jobs' containers.
func podmansUser(t *testing.T) int {
	t.Helper()
	if !overService() {
		return os.Getuid()
	}
	info, err := os.Stat(strings.TrimPrefix(environment(t, "PODMAN_EXECUTOR_TEST_SOCKET"), "unix://"))
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Sys().(*syscall.Stat_t).Uid)
}

func TestNetworkMode(t *testing.T) {
	t.Parallel()
	network := "podman-executor-test-" + strings.ToLower(t.Name())
	podman(t, "network", "create", network)
	t.Cleanup(func() { podman(t, "network", "rm", "--force", network) })
	const interfaces = `echo "interfaces" $(cd /sys/class/net && echo *)`

	none := start(t, container(`network_mode = "none"`))
	run := none.run(none.clone("none", interfaces, "cat README"))
	succeeded(t, run)
	logs(t, run, "interfaces lo\n", "second")
	j := job("refused", "echo ran")
	j.Services = []gitlab.Image{service(redisImage, "cache")}
	refused(t, none.run(j), "network_mode = \"none\"")

	named := start(t, container(fmt.Sprintf("network_mode = %q", network)))
	j = in(clientsImage, job("named", "redis-cli -h cache ping"))
	j.Services = []gitlab.Image{service(redisImage, "cache")}
	run = named.run(j)
	succeeded(t, run)
	logs(t, run, "PONG")

	host := start(t, container(`network_mode = "host"`))
	j = in(clientsImage, job("host", "redis-cli -h cache -p 46379 ping"))
	j.Services = []gitlab.Image{service(redisImage, "cache", gitlab.Variable{Key: "HEALTHCHECK_TCP_PORT", Value: "46379"})}
	j.Services[0].Command = []string{"redis-server", "--protected-mode", "no", "--port", "46379"}
	run = host.run(j)
	succeeded(t, run)
	logs(t, run, "PONG")
}

// Name servers of the policy do not hide the aliases of services.
func TestServicesWithNameServers(t *testing.T) {
	t.Parallel()
	m := start(t, container(`dns = ["192.0.2.1"]`))
	j := in(clientsImage, job("name servers", "cat /etc/resolv.conf", "redis-cli -h cache ping"))
	j.Services = []gitlab.Image{service(redisImage, "cache")}
	if oldPodman(t) {
		run := m.run(j)
		succeeded(t, run)
		logs(t, run, "192.0.2.1", "PONG")
		return
	}
	// podman 5 tells the network's own name server to ask them, which is the only one in /etc/resolv.conf.
	j.Steps[0].Script = append(j.Steps[0].Script, untilReleased...)
	run := m.server.Submit(j)
	m.waitLog(run, "holding")
	network := strings.TrimSpace(podman(t, "inspect", "--format", "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}", m.container(run, "user")))
	if text, err := os.ReadFile(filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "containers/networks/aardvark-dns", network)); err != nil || !strings.Contains(string(text), " 192.0.2.1") {
		t.Errorf("the network's name server has %q, %v", text, err)
	}
	m.release(run)
	m.wait(run)
	m.nothingLeft()
	succeeded(t, run)
	logs(t, run, "PONG")
}

// A CDI device is podman's to find: that this machine has none is what it says.
func TestGPUs(t *testing.T) {
	t.Parallel()
	const table, gpus = "[general.podman.container]", `gpus = ["podman-executor.test/gpu=all"]`
	rows := map[string][]string{"prepare": {table, gpus}, "run": {"start_per_step = true", table, gpus}}
	if overService() { // there, the first start is that of a step
		delete(rows, "prepare")
	}
	for program, keys := range rows {
		m := start(t, defaults(keys...))
		run := m.run(job("no such GPU, "+program, "echo ran"))
		failed(t, run, "runner_system_failure", 0)
		logs(t, run, "unresolvable CDI devices podman-executor.test/gpu=all", "podman-executor-"+program+": error: ", "podman-executor-"+program+": hint: this machine has no CDI device podman-executor.test/gpu=all: set gpus and devices")
		lacks(t, run, "\nran")
	}
}

// What the machine does not enforce is a warning, or with require_limits a failure;
// where it is enforced, a job that goes beyond it is told so.
func TestLimits(t *testing.T) {
	t.Parallel()
	const limits = "memory = \"32m\"\nmemory_swap = \"32m\"\npids_limit = 100"
	m, strict := start(t, container(limits)), start(t, container(limits, "require_limits = true"))
	if strings.Contains(podman(t, "info", "--format", "{{.Host.CgroupControllers}}"), "memory") {
		run := m.run(job("too much", "tail /dev/zero", "echo ran"))
		failed(t, run, "script_failure", 137)
		logs(t, run, "podman-executor-run: error: out of memory: the script used more than its limit of 32m", "podman-executor-run: hint: use less memory")
		succeeded(t, strict.run(job("enforced", "echo ran")))
		return
	}
	run := m.run(job("void", "echo ran"))
	succeeded(t, run)
	logs(t, run, "podman-executor-prepare: warning: this machine does not enforce the limits on memory, pids_limit: podman has no cgroup controller for memory, pids (cgroup v2)\n", "\nran")
	run = strict.run(job("refused", "echo ran"))
	failed(t, run, "runner_system_failure", 0)
	logs(t, run, "podman-executor-prepare: error: this machine does not enforce the limits on memory, pids_limit", "hint: ", "Delegate=cpu cpuset io memory pids")
	lacks(t, run, "\nran")
}

// outOfMemory makes the file by which podman knows that the kernel has killed a process of a container for want of memory, which conmon
// makes: podman 5 has a directory for that (conmon's --persist-dir), older ones the container's own.
func outOfMemory(t *testing.T, name string) {
	t.Helper()
	dir := filepath.Dir(podman(t, "inspect", "--format", "{{.OCIConfigPath}}", name))
	if !oldPodman(t) {
		dir = filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "libpod/tmp/persist", podman(t, "inspect", "--format", "{{.ID}}", name))
		if err := os.MkdirAll(dir, 0o750); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "oom"), "")
}

// A kill by the kernel is named, once. The file is what conmon leaves when the
// cgroup's memory.events count one: no limit of memory is in force on every
// machine of these tests, and podman looks at the file alone.
func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	m := start(t, container("memory = \"512m\"\nmax_memory = \"1g\""))
	j := job("killed", "echo started", "while [ ! -e /tmp/go ]; do sleep 0.1; done", "sh -c 'kill -9 $$'")
	j.AddAfterScript("echo in after_script", "exit 3")
	run := m.server.Submit(j)
	m.waitLog(run, "\nstarted")
	name := m.container(run, "user")
	outOfMemory(t, name)
	podman(t, "exec", name, "touch", "/tmp/go")
	m.wait(run)
	m.nothingLeft()
	failed(t, run, "script_failure", 137)
	logs(t, run, "podman-executor-run: error: out of memory: the script used more than its limit of 512m, and the kernel killed one of its processes\n",
		"podman-executor-run: hint: request more with the variable PODMAN_MEMORY in .gitlab-ci.yml: up to 1g\n", "in after_script")
	if n := count(run, "out of memory"); n != 1 {
		t.Errorf("the kill is named %d times", n)
	}
}

// A job asks by variables, up to the maxima of the policy.
func TestLimitsOfTheJob(t *testing.T) {
	t.Parallel()
	m := start(t, container("shm_size = \"16m\"\nmax_shm_size = \"64m\""))
	ask := func(name, variable, value string) *gitlab.Run {
		j := job(name, `echo "shm $(df --output=size -k /dev/shm | tail -1)"`, "echo ran")
		j.SetVariable(variable, value)
		return m.run(j)
	}
	granted := ask("granted", "PODMAN_SHM_SIZE", "48m")
	succeeded(t, granted)
	logs(t, granted, "49152")
	refused(t, ask("too much", "PODMAN_SHM_SIZE", "1g"), `policy denies PODMAN_SHM_SIZE "1g": at most 64m is allowed`)
	refused(t, ask("odd", "PODMAN_SHM_SIZE", "1m --privileged"), "policy denies PODMAN_SHM_SIZE: want a size")
	ignored := ask("ignored", "PODMAN_MEMORY", "1t --privileged")
	succeeded(t, ignored)
	logs(t, ignored, "warning: PODMAN_MEMORY is ignored: the policy of this runner has no max_memory", "16384")
}
