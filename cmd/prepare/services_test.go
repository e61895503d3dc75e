package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"podman-executor/internal/driver"
	"podman-executor/internal/job"
	"podman-executor/internal/plan"
	"podman-executor/internal/spec"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
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
logs) echo "its last words" ;;
esac
`

// served is a job with services, and a podman of [countingPodman].
type served struct {
	in     inputs
	podman *podman.Podman
	facts  spec.Facts
	plan   plan.Plan
}

// wait waits for the services, which have these images.
func (s served) wait(t *testing.T, images []podman.Image) error {
	t.Helper()
	return waitForServices(t.Context(), s.in, s.podman, s.facts, s.plan, images)
}

// servedJob returns a job with so many services; said is what the job's author reads.
func servedJob(t *testing.T, services int, rules string) (s served, said *bytes.Buffer) {
	t.Helper()
	home := t.TempDir()
	program := filepath.Join(home, "podman")
	if err := os.WriteFile(program, []byte(countingPodman), 0o755); err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse("p.toml", strings.NewReader("[general]\nrun_mechanism = \"podman\"\n[general.podman]\nrunner_image = \"r\"\n"+rules))
	if err != nil {
		t.Fatal(err)
	}
	f := spec.Facts{Job: &job.Job{}, Policy: p, Variable: func(string) string { return "" }}
	for i := range services {
		f.Grant.Services = append(f.Grant.Services, policy.ServiceGrant{Aliases: []string{fmt.Sprintf("s%d", i)}, Added: true})
	}
	said = &bytes.Buffer{}
	return served{
		in:     inputs{call: &driver.Call{Stdout: &bytes.Buffer{}, Stderr: said}, policy: p},
		podman: &podman.Podman{Program: program, Env: []string{"HOME=" + home, "PATH=" + podman.Path}},
		facts:  f, plan: spec.Plan(f),
	}, said
}

// counted returns how many podman commands there were, by their first word, and how many
// at the same time.
func (s served) counted(t *testing.T) (calls map[string]int, most int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(filepath.Dir(s.podman.Program), "log"))
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

func (s served) withFile(t *testing.T, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(filepath.Dir(s.podman.Program), name), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// One command looks at all services, and of their health checks few run at the same time.
func TestManyServicesAreLookedAtTogether(t *testing.T) {
	t.Parallel()
	const services = 16
	s, said := servedJob(t, services, "")
	s.withFile(t, "dead-3")
	images := make([]podman.Image, services)
	for i := range images {
		images[i].HealthCheck = podman.HealthCheck{Test: []string{"CMD", "well"}}
	}
	started := time.Now()
	if err := s.wait(t, images); err != nil {
		t.Fatal(err)
	}
	calls, most := s.counted(t)
	if want := 2 * (services - 1); calls["exec"] != want {
		t.Errorf("%d health checks, want %d", calls["exec"], want)
	}
	if most > 8+1 {
		t.Errorf("%d podman commands at the same time", most)
	}
	if looks := int(time.Since(started)/(200*time.Millisecond)) + 1; calls["container"] > looks {
		t.Errorf("it was looked %d times for services, in a time for %d", calls["container"], looks)
	}
	const want = "warning: the service s3 () probably didn't start properly: it has ended"
	if strings.Count(said.String(), "warning:") != 1 || !strings.Contains(said.String(), want) || !strings.Contains(said.String(), "[service:s3] its last words") {
		t.Errorf("it says\n%s", said)
	}
}

// What is not ready is looked at less and less often, by a number of commands that does
// not grow with the services.
func TestServicesThatAreNeverReady(t *testing.T) {
	t.Parallel()
	for name, checks := range map[string]int{"ports": 0, "health checks": 8 * 16} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const services = 16
			s, said := servedJob(t, services, "wait_for_services_timeout = 3\n")
			s.withFile(t, "never")
			images := make([]podman.Image, services)
			for i := range images {
				images[i].Config.ExposedPorts = map[string]struct{}{"5432/tcp": {}}
				if checks > 0 {
					images[i].HealthCheck = podman.HealthCheck{Test: []string{"CMD", "well"}}
				}
			}
			if err := s.wait(t, images); err != nil {
				t.Fatal(err)
			}
			calls, most := s.counted(t)
			if calls["container"] < 2 || calls["container"] > 16 || calls["exec"] > checks || most > 8+1 {
				t.Errorf("%v, %d at the same time", calls, most)
			}
			if n := strings.Count(said.String(), "it is not ready after the timeout"); n != services {
				t.Errorf("%d services are not ready:\n%s", n, said)
			}
		})
	}
}

// A health check that hangs keeps no other service from being checked.
func TestHealthCheckThatHangs(t *testing.T) {
	t.Parallel()
	s, said := servedJob(t, 2, "wait_for_services_timeout = 5\n")
	script := strings.Replace(countingPodman, "sleep 0.1", `case $* in *hangs) exec sleep 1000 ;; esac`, 1)
	if err := os.WriteFile(s.podman.Program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	check := func(word string) podman.Image {
		return podman.Image{HealthCheck: podman.HealthCheck{Test: []string{"CMD", word}}}
	}
	if err := s.wait(t, []podman.Image{check("hangs"), check("well")}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said.String(), "the service s0 ()") || strings.Contains(said.String(), "the service s1 ()") {
		t.Errorf("it says\n%s", said)
	}
}
