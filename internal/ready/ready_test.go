package ready

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"podman-executor/internal/job"
	"podman-executor/pkg/podman"
)

// countingPodman writes down when it begins and when it ends: "+container", "-exec". A
// health check takes a while, and is well for the second time. The containers with a name
// that ends with "-dead" in the file of that name have ended.
const countingPodman = `#!/bin/sh
echo "+$1" >>"$HOME/log"
trap 'echo "-$1" >>"$HOME/log"' EXIT
case $1 in
container)
	while [ "$1" != -- ]; do shift; done
	shift
	for name; do
		pid=2147483647
		[ ! -e "$HOME/dead-${name##*-}" ] || pid=0
		echo "$name $pid"
	done
	set -- container ;;
exec)
	sleep 0.1
	[ ! -e "$HOME/never" ] || exit 1
	[ -e "$HOME/once-$3" ] || { : >"$HOME/once-$3"; exit 1; } ;;
esac
`

// newPodman returns a podman of that script, and its home directory.
func newPodman(t *testing.T, script string) (*podman.Podman, string) {
	t.Helper()
	home := t.TempDir()
	program := filepath.Join(home, "podman")
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return &podman.Podman{Program: program, Env: []string{"HOME=" + home, "PATH=" + podman.Path}}, home
}

// counted returns how many podman commands there were, by their first word, and how many
// at the same time.
func counted(t *testing.T, home string) (calls map[string]int, most int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(home, "log"))
	if err != nil {
		t.Fatal(err)
	}
	calls = map[string]int{}
	now := 0
	for line := range strings.Lines(string(text)) {
		verb, begins := strings.CutPrefix(strings.TrimSpace(line), "+")
		if !begins {
			now--
			continue
		}
		calls[verb]++
		now++
		most = max(most, now)
	}
	return calls, most
}

func withFile(t *testing.T, home, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(home, name), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// list returns so many services, each of them like s.
func list(services int, s Service) []Service {
	var all []Service
	for i := range services {
		s.Container = fmt.Sprintf("service-%d", i)
		all = append(all, s)
	}
	return all
}

func check(word string) podman.HealthCheck {
	return podman.HealthCheck{Test: []string{"CMD", word}}
}

// One command looks at all services, and of their health checks few run at the same time.
func TestManyServicesAreLookedAtTogether(t *testing.T) {
	t.Parallel()
	const services = 16
	pm, home := newPodman(t, countingPodman)
	withFile(t, home, "dead-3")
	started := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	problems := Wait(ctx, pm, list(services, Service{HealthCheck: check("well")}))
	calls, most := counted(t, home)
	if want := 2 * (services - 1); calls["exec"] != want {
		t.Errorf("%d health checks, want %d", calls["exec"], want)
	}
	if most > 8+1 {
		t.Errorf("%d podman commands at the same time", most)
	}
	if looks := int(time.Since(started)/(200*time.Millisecond)) + 1; calls["container"] > looks {
		t.Errorf("it was looked %d times for services, in a time for %d", calls["container"], looks)
	}
	want := make([]string, services)
	want[3] = "it has ended"
	if !slices.Equal(problems, want) {
		t.Errorf("problems: %q", problems)
	}
}

// What is not ready is looked at less and less often, by a number of commands that does
// not grow with the services.
func TestServicesThatAreNeverReady(t *testing.T) {
	t.Parallel()
	const services = 16
	for name, test := range map[string]struct {
		service Service
		checks  int
	}{
		"ports":         {Service{Ports: []int{5432}}, 0},
		"health checks": {Service{Ports: []int{5432}, HealthCheck: check("well")}, 8 * 16},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pm, home := newPodman(t, countingPodman)
			withFile(t, home, "never")
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			problems := Wait(ctx, pm, list(services, test.service))
			calls, most := counted(t, home)
			if calls["container"] < 2 || calls["container"] > 16 || calls["exec"] > test.checks || most > 8+1 {
				t.Errorf("%v, %d at the same time", calls, most)
			}
			if len(problems) != services {
				t.Fatalf("%d results", len(problems))
			}
			for i, problem := range problems {
				if problem != "it is not ready after the timeout" {
					t.Errorf("service %d: %q", i, problem)
				}
			}
		})
	}
}

// A health check that hangs keeps no other service from being checked.
func TestHealthCheckThatHangs(t *testing.T) {
	t.Parallel()
	pm, _ := newPodman(t, strings.Replace(countingPodman, "sleep 0.1", `case $* in *hangs) exec sleep 1000 ;; esac`, 1))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	problems := Wait(ctx, pm, []Service{{Container: "s0", HealthCheck: check("hangs")}, {Container: "s1", HealthCheck: check("well")}})
	if problems[0] == "" || problems[1] != "" {
		t.Errorf("problems: %q", problems)
	}
}

// A service without ports and without a health check is ready when its container runs.
func TestWithoutPorts(t *testing.T) {
	t.Parallel()
	pm, home := newPodman(t, countingPodman)
	if problems := Wait(t.Context(), pm, list(2, Service{})); !slices.Equal(problems, []string{"", ""}) {
		t.Errorf("problems: %q", problems)
	}
	if calls, _ := counted(t, home); calls["container"] != 1 || len(calls) != 1 {
		t.Errorf("commands: %v", calls)
	}
}

func TestPorts(t *testing.T) {
	image := podman.Image{}
	image.Config.ExposedPorts = map[string]struct{}{"6379/tcp": {}, "53/udp": {}, "5432": {}, "x/tcp": {}}
	for _, test := range []struct {
		variables []job.Variable
		want      []int
	}{
		{nil, []int{5432, 6379}},
		{[]job.Variable{{Key: "HEALTHCHECK_TCP_PORT", Value: "8080"}}, []int{8080}},
		{[]job.Variable{{Key: "healthcheck_tcp_port", Value: "8080"}}, []int{8080}},
		{[]job.Variable{{Key: "HEALTHCHECK_TCP_PORT", Value: "http"}}, []int{5432, 6379}},
	} {
		if got := Ports(test.variables, image); !slices.Equal(got, test.want) {
			t.Errorf("%v: %v, want %v", test.variables, got, test.want)
		}
	}
}
