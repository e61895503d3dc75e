//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"podman-executor/test/harness/gitlab"
)

const (
	postgresImage = "localhost/podman-executor/postgres:latest"
	redisImage    = "localhost/podman-executor/redis:latest"
	healthyImage  = "localhost/podman-executor/healthy:latest"
	clientsImage  = "localhost/podman-executor/clients:latest"
)

func service(image, alias string, variables ...gitlab.Variable) gitlab.Image {
	return gitlab.Image{Name: image, Alias: alias, Variables: variables}
}

// A real PostgreSQL and a real Redis, by their aliases and by the names that
// docker gives; what the services get is on no command line.
func TestServices(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	const password = "a-password-for-the-database"
	j := in(clientsImage, job("services",
		`PGPASSWORD=$DB_PASSWORD psql --host db --username tester --dbname app --tuples-only --command "select 'answer ' || 6 * 7"`,
		`PGPASSWORD=$DB_PASSWORD psql --host db2 --username tester --dbname app --tuples-only --command "select 'public ' || current_database()"`,
		"redis-cli -h cache set key value-of-redis", "redis-cli -h localhost-podman-executor-redis get key",
		"redis-cli -h localhost__podman-executor__redis ping",
		// The script ends when the services were looked at: see below.
		"redis-cli -h cache blpop seen 60"))
	j.Variables = append(j.Variables,
		gitlab.Variable{Key: "DB_PASSWORD", Value: password, Masked: true},
		gitlab.Variable{Key: "POSTGRES_DB", Value: "app", Public: true},
		gitlab.Variable{Key: "NOT_FOR_SERVICES", Value: "kept-from-services", Masked: true})
	own := []gitlab.Variable{{Key: "POSTGRES_USER", Value: "tester"}, {Key: "POSTGRES_PASSWORD", Value: "$DB_PASSWORD"}, {Key: "LINES_OF", Value: "two\nlines"}, {Key: "ODD", Value: ` "quoted' #1 = \$x*`, Raw: true}}
	j.Services = []gitlab.Image{service(postgresImage, "db,db2", own...), service(redisImage, "cache")}
	run := m.server.Submit(j)
	stop, seen := make(chan struct{}), make(chan string, 1)
	go func() { seen <- watchCommandLines(stop, "git", password, "kept-from-services") }()
	m.waitLog(run, "Executing \"step_script\"")
	services := strings.TrimSuffix(m.container(run, "user"), "user") + "service-"
	env := podman(t, "inspect", "--format", "{{json .Config.Env}}", services+"0")
	// podman 5 does not show that of a secret.
	lines := podman(t, "exec", services+"0", "printenv", "LINES_OF")
	podman(t, "exec", services+"1", "redis-cli", "lpush", "seen", "yes")
	m.wait(run)
	close(stop)
	if line := <-seen; line != "" {
		t.Errorf("a secret stands on a command line: %s", line)
	}
	m.nothingLeft()
	succeeded(t, run)
	logs(t, run, "Waiting for services", "answer 42", "public app", "OK", "value-of-redis", "PONG")
	lacks(t, run, "probably didn't start", password)
	if strings.TrimSuffix(lines, "\n") != "two\nlines" {
		t.Errorf("LINES_OF is %q in the service", lines)
	}
	if !strings.Contains(env, `"ODD= \"quoted' #1 = \\$x*"`) || !strings.Contains(env, "POSTGRES_PASSWORD="+password) || strings.Contains(env, "kept-from-services") {
		t.Errorf("the service has the environment %s", strings.ReplaceAll(env, password, "PASSWORD"))
	}
}

// Two services on one port are two hosts; each is waited for by its image's own
// health check.
func TestServicesOnOnePort(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	j := in(clientsImage, job("one port", "curl --silent --show-error http://one:8080/", "curl --silent --show-error http://two:8080/"))
	j.Services = []gitlab.Image{service(healthyImage, "one"), service(healthyImage, "two")}
	run := m.run(j)
	succeeded(t, run)
	logs(t, run, "hello", "hello")
	lacks(t, run, "probably didn't start")
}

// A service has the job's builds, as in docker, and finds the job by the name
// "build".
func TestServiceOfTheProject(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	j := in(clientsImage, job("project",
		"echo from the project > page; curl --silent --show-error http://web:8080/${CI_PROJECT_DIR#/builds/}/page",
		`[ "$(getent hosts build | awk '{ print $1 }')" = "$(hostname -I | tr -d ' ')" ] && echo "build is here"`))
	j.Services = []gitlab.Image{service(busyboxImage, "web")}
	j.Services[0].Command = []string{"httpd", "-f", "-p", "8080", "-h", "/builds"}
	run := m.run(j)
	succeeded(t, run)
	logs(t, run, "\nfrom the project\n", "\nbuild is here\n")
}

func TestNetworkOfServices(t *testing.T) {
	t.Parallel()
	m := start(t, defaults("enable_ipv6 = true", "network_mtu = 1400"))
	j := in(clientsImage, job("network", "echo mtu $(cat /sys/class/net/eth0/mtu)",
		"getent ahostsv6 cache | awk '$2 == \"STREAM\" { print \"redis at \" $1 }'", "redis-cli -6 -h cache ping"))
	j.Services = []gitlab.Image{service(redisImage, "cache")}
	run := m.run(j)
	succeeded(t, run)
	logs(t, run, "mtu 1400", "redis at fd", "PONG")
}

func TestServiceThatIsNotReady(t *testing.T) {
	t.Parallel()
	m := start(t, defaults("wait_for_services_timeout = 10"))
	j := in(clientsImage, job("not ready", "echo the job goes on"))
	j.Services = []gitlab.Image{
		service(healthyImage, "never", gitlab.Variable{Key: "NEVER_READY", Value: "yes"}),
		service(postgresImage, "ended"), // has no password, and says so
	}
	run := m.run(j)
	succeeded(t, run)
	logs(t, run, "warning: the service never ("+healthyImage+") probably didn't start properly", "[service:never] not going to be ready")
	logs(t, run, "warning: the service ended ("+postgresImage+") probably didn't start properly: it has ended", "[service:ended] ", "the job goes on")
}

func TestServicesLogs(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	j := in(clientsImage, job("debug services", "redis-cli -h cache ping"))
	j.SetVariable("CI_DEBUG_SERVICES", "true")
	j.Services = []gitlab.Image{service(redisImage, "cache")}
	run := m.run(j)
	succeeded(t, run)
	logs(t, run, "PONG", "[service:cache] ", "Ready to accept connections")
	j.SetVariable("CI_DEBUG_SERVICES", "false")
	lacks(t, m.run(j), "[service:cache]")

	// A script that hangs, perhaps for a service
	j = in(clientsImage, job("timeout", "sleep 1000"))
	j.SetVariable("CI_DEBUG_SERVICES", "true")
	j.SetVariable("RUNNER_SCRIPT_TIMEOUT", "8s")
	j.Services = []gitlab.Image{service(redisImage, "cache")}
	run = m.run(j)
	failed(t, run, "job_execution_timeout", 0)
	logs(t, run, "$ sleep 1000", "[service:cache] ", "Ready to accept connections")
}

func TestServicesRefused(t *testing.T) {
	t.Parallel()
	m := start(t, defaults(`image_allow_list = ["localhost/podman-executor/.*"]`,
		`service_allow_list = ["localhost/podman-executor/redis:.*"]`, "services_limit = 2"))
	for want, services := range map[string][]gitlab.Image{
		"no entry of service_allow_list matches":                     {service(postgresImage, "db")},
		"services_limit allows 2 services, and the job would have 3": {service(redisImage, "a"), service(redisImage, "b"), service(redisImage, "c")},
		`the alias "localhost" is invalid or reserved`:               {service(redisImage, "localhost")},
		`the alias "--privileged" is invalid or reserved`:            {service(redisImage, "--privileged")},
	} {
		j := in(clientsImage, job("refused", "echo ran"))
		j.Services = services
		refused(t, m.run(j), want)
	}
	j := in(clientsImage, job("no such program", "echo ran"))
	j.Services = []gitlab.Image{service(redisImage, "cache")}
	j.Services[0].Entrypoint = []string{"no-such-program"}
	run := m.run(j)
	refused(t, run, "starting the service "+redisImage, "not found")
	fallback := start(t, defaults(`image_allow_list = ["localhost/podman-executor/clients:.*"]`))
	j = in(clientsImage, job("refused by the image list", "echo ran"))
	j.Services = []gitlab.Image{service(redisImage, "cache")}
	refused(t, fallback.run(j), "no entry of image_allow_list matches")
}

// The policy adds a service to every job; a job without any has no network of
// its own.
func TestServicesOfThePolicy(t *testing.T) {
	t.Parallel()
	added := `[[general.podman.services]]
name = "` + redisImage + `"
alias = ["shared-cache"]
command = ["redis-server", "--protected-mode", "no", "--maxclients", "77"]`
	m := start(t, defaults(added))
	run := m.run(in(clientsImage, job("added", "redis-cli -h shared-cache config get maxclients")))
	succeeded(t, run)
	logs(t, run, "maxclients\n77")

	without := start(t, defaults())
	succeeded(t, without.run(job("no services", "echo ran")))
	if log, err := os.ReadFile(filepath.Join(without.dir, "driver.log")); err != nil || strings.Contains(string(log), "podman network create") {
		t.Errorf("a job without services has a network of its own (%v)", err)
	}
}

func TestServicesOfKilledRunner(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	j := in(clientsImage, job("killed", endless...))
	j.Services = []gitlab.Image{service(redisImage, "cache", gitlab.Variable{Key: "LINES_OF", Value: "two\nlines"})}
	run := m.server.Submit(j)
	m.waitLog(run, "tick")
	if len(m.secrets()) != 2 {
		t.Errorf("of a service's variable of two lines there is %q, want a secret and what tells of it", m.secrets())
	}
	m.killDriver()
	m.runner.Kill()
	if err := m.runner.Restart(); err != nil {
		t.Fatal(err)
	}
	succeeded(t, m.run(job("next", "echo next")))
}

func TestServicesOfCancelledJob(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	j := in(clientsImage, job("cancelled", endless...))
	j.AddAfterScript("redis-cli -h cache ping")
	j.Services = []gitlab.Image{service(redisImage, "cache")}
	run := m.server.Submit(j)
	m.waitLog(run, "tick")
	run.Cancel()
	m.wait(run)
	m.nothingLeft()
	logs(t, run, "PONG")
}
