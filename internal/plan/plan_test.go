package plan

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"podman-executor/internal/step"
	"podman-executor/pkg/podman"
)

var full = Plan{
	JobID: 1<<63 - 1, ProjectID: 42,
	Podman:          Podman{Program: "/usr/bin/podman", URL: "unix:///run/podman.sock", Env: []string{"PATH=/usr/bin", "SECRET=a\nb\"<&>"}},
	RunnerContainer: "podman-executor-t-1-runner", UserContainer: "podman-executor-t-1-user",
	Services: []Service{{Container: "podman-executor-t-1-service-0", Alias: "db"}}, Network: "podman-executor-t-1-network", ShowServices: true,
	Launch: &Launch{
		Program: "/usr/bin/srun", Words: []string{"--quiet"}, Batch: true, Slurm: true, Dir: "/data/x", Container: podman.Create{Name: "u", Mode: podman.Attached},
		AuthFile: "/run/x/auth.json", Variable: "SCHEDULER_PARAMETERS", Options: []string{"--time=5"},
	},
	Memory:  map[string]Memory{"podman-executor-t-1-user": {Limit: "512m", More: "ask"}},
	HostDir: "/data", HostEnv: []string{"PATH=/bin"}, HostOpen: true, Sources: step.Sources{Root: "/b", Project: "/b/p", Submodules: true}, AuthDir: "/run/user/1000/podman-executor/x", PinDir: "/run/user/1000/podman-executor-volumes/x", SecretsDir: "/state/secrets/x", StepsDirs: map[string]string{"u": "/run/user/1000/podman-executor/x/steps/user"}, Keep: true,
	Grace: 4 * time.Second, GiveProject: true, DefaultImage: true, UnusedEntryPoint: []string{"/entry", "--"},
	Log: Log{File: "/var/log/x", Level: "debug", Format: "json"},
}

// A field that is added must be in the round trip.
func TestFullIsFull(t *testing.T) {
	v := reflect.ValueOf(full)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; name != "Version" && v.Field(i).IsZero() {
			t.Errorf("the field %s is not tested", name)
		}
	}
}

func TestContainers(t *testing.T) {
	want := []string{"podman-executor-t-1-user", "podman-executor-t-1-runner", "podman-executor-t-1-service-0"}
	if diff := cmp.Diff(want, full.Containers()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"u"}, Plan{UserContainer: "u"}.Containers()); diff != "" {
		t.Errorf("on the host (-want +got):\n%s", diff)
	}
}

func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	for _, p := range []Plan{full, {}, {UserContainer: "u"}} {
		// The second one replaces the first.
		if err := Write(dir, p); err != nil {
			t.Fatal(err)
		}
		got, err := Read(dir)
		p.Version = version
		if diff := cmp.Diff(p, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != fileName {
		t.Errorf("the directory holds %v, %v", entries, err)
	}
}

func TestMode(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, fileName)
	// Also where something else was there before.
	if err := os.WriteFile(name, []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := Write(dir, full); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(name)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
}

// A link that lies where the plan goes is replaced, not followed.
func TestWriteReplacesLinks(t *testing.T) {
	dir, other := t.TempDir(), filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, filepath.Join(dir, fileName)); err != nil {
		t.Fatal(err)
	}
	if err := Write(dir, full); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(other); err != nil || string(text) != "keep" {
		t.Errorf("the link's target holds %q, %v", text, err)
	}
}

func TestWriteFails(t *testing.T) {
	if err := Write(filepath.Join(t.TempDir(), "none"), full); err == nil || !strings.HasPrefix(err.Error(), "writing the plan: ") {
		t.Errorf("into no directory: %v", err)
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, fileName, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(dir, full); err == nil {
		t.Error("over a directory: no error")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("a failed write leaves %v, %v", entries, err)
	}
}

func TestReadFails(t *testing.T) {
	const damaged = "reading the plan: it is damaged"
	const other = ", this program knows 1: was podman-executor upgraded while the job ran?"
	tests := []struct{ text, want string }{
		{"", damaged},
		{"{", damaged},
		{"[]", damaged},
		{`"secret"`, damaged},
		{`{"version": 1} {}`, damaged},
		{`{"version": 1, "podman": "secret"}`, damaged},
		{`{"version": 1, "user_contai`, damaged},
		{"null", "reading the plan: it has version 0" + other},
		{"{}", "reading the plan: it has version 0" + other},
		{`{"version": 2, "user_container": "x"}`, "reading the plan: it has version 2" + other},
		{`{"version": -1}`, "reading the plan: it has version -1" + other},
	}
	for _, test := range tests {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, fileName), []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := Read(dir)
		if err == nil || err.Error() != test.want || errors.Is(err, ErrNone) || !cmp.Equal(p, Plan{}) {
			t.Errorf("%q: %+v, %v, want %s", test.text, p, err, test.want)
		}
	}
}

func TestReadNone(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Join(dir, "none")} {
		if p, err := Read(d); !errors.Is(err, ErrNone) || err.Error() != "there is no plan in "+d || !cmp.Equal(p, Plan{}) {
			t.Errorf("%+v, %v", p, err)
		}
	}
	// Something is there, but cannot be read: that is not "no plan".
	if err := os.Mkdir(filepath.Join(dir, fileName), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(dir); err == nil || errors.Is(err, ErrNone) {
		t.Errorf("a directory: %v", err)
	}
}
