package podman

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestEnvironment(t *testing.T) {
	const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	always := []string{path, "TMPDIR=/var/tmp", "LC_ALL=C.UTF-8"}
	const nobody = 4_000_000_000 // has no /run/user directory
	tests := []struct {
		name   string
		caller map[string]string
		extra  []string
		want   []string
	}{
		{"nothing", nil, nil, always},
		{"what is taken over, in a fixed order", map[string]string{"DBUS_SESSION_BUS_ADDRESS": "d", "XDG_RUNTIME_DIR": "/x", "USER": "u", "HOME": "/h"}, nil, append(slices.Clone(always), "HOME=/h", "USER=u", "XDG_RUNTIME_DIR=/x", "DBUS_SESSION_BUS_ADDRESS=d")},
		{"what is not", map[string]string{"TMPDIR": "/t", "PATH": "/p", "LD_PRELOAD": "l", "CONTAINERS_CONF": "c", "CONTAINER_HOST": "h", "CUSTOM_ENV_X": "x", "https_proxy": "p", "LC_ALL": "de"}, nil, always},
		{"extra", nil, []string{"A=1", "B=2=3", "C="}, append(slices.Clone(always), "A=1", "B=2=3", "C=")},
		{"extra wins", map[string]string{"HOME": "/h"}, []string{"HOME=/other", "TMPDIR=/big"}, []string{path, "LC_ALL=C.UTF-8", "HOME=/other", "TMPDIR=/big"}},
		{"of two the last", nil, []string{"A=1", "A=2"}, append(slices.Clone(always), "A=2")},
		{"a name that begins like another", nil, []string{"PAT=1", "PATHS=2"}, append(slices.Clone(always), "PAT=1", "PATHS=2")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Environment(func(name string) string { return tt.caller[name] }, nobody, tt.extra)
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n%q, want\n%q", got, tt.want)
			}
		})
	}
}

// TestEnvironmentBus: the D-Bus address is the socket in the runtime directory,
// where there is one.
func TestEnvironmentBus(t *testing.T) {
	// t.TempDir is too long for a socket's name.
	dir, err := os.MkdirTemp("", "bus")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	getenv := func(name string) string { return map[string]string{"XDG_RUNTIME_DIR": dir}[name] }
	if got := strings.Join(Environment(getenv, 0, nil), " "); strings.Contains(got, "DBUS") {
		t.Errorf("without a socket: %s", got)
	}
	socket, err := net.Listen("unix", filepath.Join(dir, "bus"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	p := Podman{Env: Environment(getenv, 0, nil)}
	if got, want := p.Getenv("DBUS_SESSION_BUS_ADDRESS"), "unix:path="+dir+"/bus"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestGetenv(t *testing.T) {
	p := Podman{Env: []string{"AB=1", "A=2=3", "E="}}
	for name, want := range map[string]string{"A": "2=3", "AB": "1", "E": "", "B": ""} {
		if got := p.Getenv(name); got != want {
			t.Errorf("Getenv(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, mode os.FileMode) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		return name
	}
	good, bad := file("good", 0o755), file("bad", 0o775)
	link, badLink := filepath.Join(dir, "link"), filepath.Join(dir, "bad-link")
	for name, to := range map[string]string{link: good, badLink: bad} {
		if err := os.Symlink(to, name); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct{ name, program, wrong string }{
		{"good", good, ""},
		{"owner only", file("own", 0o700), ""},
		{"link", link, ""},
		{"relative", "podman", "is not an absolute path"},
		{"relative with a slash", "./podman", "is not an absolute path"},
		{"missing", filepath.Join(dir, "none"), "no such file"},
		{"directory", dir, "is not an executable file"},
		{"not executable", file("text", 0o644), "is not an executable file"},
		{"group may write", bad, "mode 0775"},
		{"others may write", file("shared", 0o757), "mode 0757"},
		{"link to one that the group may write", badLink, "mode 0775"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Find(tt.program)
			switch {
			case tt.wrong == "":
				if err != nil || got != tt.program {
					t.Errorf("got %q, %v", got, err)
				}
			case err == nil || got != "" || !strings.Contains(err.Error(), tt.wrong):
				t.Errorf("got %q, %v, want %q", got, err, tt.wrong)
			}
		})
	}
}
