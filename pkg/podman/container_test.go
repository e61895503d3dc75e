package podman

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// alwaysBefore is what every container has before its own options.
var alwaysBefore = []string{"create", "--name", "n", "--pull=never", "--interactive", "--log-driver", "none", "--no-healthcheck", "--http-proxy=false"}

func TestCreateArgs(t *testing.T) {
	tests := []struct {
		name string
		c    Create
		want []string
	}{
		{"nothing", Create{}, []string{"--", "i"}},
		{"labels", Create{Labels: map[string]string{"b": "2", "a": "1", "c": ""}}, []string{"--label", "a=1", "--label", "b=2", "--label", "c=", "--", "i"}},
		{"hostname", Create{Hostname: "h"}, []string{"--hostname", "h", "--", "i"}},
		{"timeout", Create{Timeout: 90*time.Second + 900*time.Millisecond}, []string{"--timeout", "90", "--", "i"}},
		{"tmpfs", Create{Tmpfs: []string{"/z:exec", "/a"}}, []string{"--tmpfs", "/z:exec", "--tmpfs", "/a", "--", "i"}},
		{"volumes", Create{Volumes: []string{"z:/z", "/a:/a:ro"}}, []string{"--volume", "z:/z", "--volume", "/a:/a:ro", "--", "i"}},
		{"entrypoint", Create{Entrypoint: "sh"}, []string{"--entrypoint", "sh", "--", "i"}},
		{"options", Create{Options: []string{"--memory", "1g", "x y"}}, []string{"--memory", "1g", "x y", "--", "i"}},
		{"command", Create{Command: []string{"-c", "--privileged"}}, []string{"--", "i", "-c", "--privileged"}},
		{"network", Create{Network: "net"}, []string{"--network", "net", "--", "i"}},
		{"aliases", Create{Network: "net", Aliases: []string{"z", "a"}}, []string{"--network", "net", "--network-alias", "z", "--network-alias", "a", "--", "i"}},
		{"environment", Create{EnvFile: "/run/e", EnvNames: []string{"Z", "A"}}, []string{"--env-file", "/run/e", "--env", "Z", "--env", "A", "--", "i"}},
		{"secrets", Create{EnvFile: "/run/e", Secrets: []SecretVariable{{"Z", "s-2"}, {"A", "s-1"}}}, []string{"--env-file", "/run/e", "--secret", "s-2,type=env,target=Z", "--secret", "s-1,type=env,target=A", "--", "i"}},
		{"user", Create{User: "1000:nobody"}, []string{"--user", "1000:nobody", "--", "i"}},
		{"platform", Create{Platform: Platform{"linux", "arm64", "v8"}}, []string{"--platform", "linux/arm64/v8", "--", "i"}},
		{"entrypoint of several words", Create{Entrypoint: `["a b",""]`}, []string{"--entrypoint", `["a b",""]`, "--", "i"}},
		{"everything", Create{
			Labels: map[string]string{"a": "1"}, Hostname: "h", Timeout: time.Minute, Tmpfs: []string{"/t"}, Volumes: []string{"v:/v"},
			Network: "net", Aliases: []string{"db"}, EnvFile: "/run/e", EnvNames: []string{"N"}, User: "u", Platform: Platform{OS: "linux", Arch: "arm64"},
			Entrypoint: "sh", Options: []string{"--init"}, Command: []string{"-c", "x"},
		}, []string{
			"--label", "a=1", "--hostname", "h", "--timeout", "60", "--tmpfs", "/t", "--volume", "v:/v",
			"--network", "net", "--network-alias", "db", "--env-file", "/run/e", "--env", "N", "--user", "u", "--platform", "linux/arm64", "--entrypoint", "sh", "--init", "--", "i", "-c", "x",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.c.Name, tt.c.Image = "n", "i"
			want := slices.Concat(alwaysBefore, tt.want)
			if got := tt.c.Args(); !slices.Equal(got, want) {
				t.Errorf("got\n%q, want\n%q", got, want)
			}
		})
	}
}

// A container of one run is made where it runs, and pulls its image there.
func TestRunArgs(t *testing.T) {
	c := Create{Name: "n", Mode: Attached, PullPolicy: "missing", AuthFile: "/d/auth.json", EnvNames: []string{"SLURM_JOB_ID"}, Image: "i@sha256:1", Command: []string{"x"}}
	want := []string{
		"run", "--rm", "--sig-proxy=false", "--detach-keys", detachKeys, "--name", "n", "--pull=missing", "--authfile", "/d/auth.json",
		"--interactive", "--log-driver", "none", "--no-healthcheck", "--http-proxy=false", "--env", "SLURM_JOB_ID", "--", "i@sha256:1", "x",
	}
	if got := c.Args(); !slices.Equal(got, want) {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
}

// A service runs by itself: nobody attaches to it, and its log is podman's to keep.
func TestCreateServiceArgs(t *testing.T) {
	c := Create{Name: "n", Mode: Service, Network: "net", Aliases: []string{"db"}, Image: "i", Command: []string{"x"}}
	want := []string{
		"create", "--name", "n", "--pull=never", "--log-driver", "k8s-file", "--log-opt", "max-size=50m", "--no-healthcheck", "--http-proxy=false",
		"--network", "net", "--network-alias", "db", "--", "i", "x",
	}
	if got := c.Args(); !slices.Equal(got, want) {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
}

// TestCreateArgsAreNew: a second call must not find what somebody has appended
// to the first one's answer.
func TestCreateArgsAreNew(t *testing.T) {
	c := Create{Name: "n", Image: "i", Options: make([]string, 1, 10), Command: make([]string, 1, 10)}
	first := c.Args()
	_ = append(first, "x")
	if second := c.Args(); !slices.Equal(first, second) {
		t.Errorf("got\n%q, then\n%q", first, second)
	}
}

// TestManyLabels: the order does not depend on a map's.
func TestManyLabels(t *testing.T) {
	labels := map[string]string{}
	for _, k := range strings.Split("qwertzuiopasdfghjklyxcvbnm", "") {
		labels[k] = k
	}
	c := Create{Labels: labels}
	for range 20 {
		got := c.Args()
		var keys []string
		for i, a := range got {
			if a == "--label" {
				keys = append(keys, got[i+1])
			}
		}
		if !slices.IsSorted(keys) || len(keys) != 26 {
			t.Fatalf("labels are not in order: %q", keys)
		}
	}
}

// Only mounts in the directory are listed, whatever else an image mounts.
func TestMountsIn(t *testing.T) {
	objects, err := json.Marshal([]any{
		map[string]any{"Id": "a", "Mounts": []string{"/builds", "/data", "/data/builds/project-7", "/database", huge}},
		map[string]any{"Id": "b", "Mounts": []string{}},
		map[string]any{"Id": "c", "Mounts": []string{"/data/" + huge, "/data/a\nb"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	p, _ := answers(t, map[string]string{"ps": string(objects)})
	for _, dir := range []string{"/data", "/data/"} {
		got, err := p.MountsIn(t.Context(), "k", dir)
		want := []string{"/data/builds/project-7", "/data/" + huge[:maxField-6], "/data/a\nb"}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%.300s", dir, err, diff)
		}
	}
}
