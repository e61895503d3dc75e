package podman

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVersion(t *testing.T) {
	for answer, want := range map[string]string{
		`{"Client": {"Version": "4.3.1", "OsArch": "linux/amd64"}}`:                                                          "4.3.1 linux/amd64",
		`{"Client": {"Version": "5.4.2", "OsArch": "linux/amd64"}, "Server": {"Version": "4.3.1", "OsArch": "linux/arm64"}}`: "4.3.1 linux/arm64",

		`{"Client": {"Version": "4.3.1"}}`: "4.3.1 ",
	} {
		p, _ := answers(t, map[string]string{"version": answer})
		v, err := p.Version(t.Context())
		if got := v.Version + " " + v.Native().String(); err != nil || got != want || v.Service != strings.Contains(answer, "Server") {
			t.Errorf("%s: %q, %v, want %q", answer, got, err, want)
		}
	}
	p, _ := answers(t, map[string]string{"version": `{"Client": {}}`})
	if _, err := p.Version(t.Context()); err == nil {
		t.Error("no version is one")
	}
}

// TestInfoOfPrograms: what podman runs, and where its storage is; podman 4.3 does not
// say what makes networks.
func TestInfoOfPrograms(t *testing.T) {
	p, _ := answers(t, map[string]string{"info": `{"host": {"cgroupVersion": "v2", "cgroupControllers": ["pids"], "ociRuntime": {"name": "crun", "version": "crun version 1.8.1\ncommit: 1"},
		"networkBackendInfo": {"backend": "netavark", "version": "netavark 1.14.0", "dns": {"version": "aardvark-dns 1.14.0"}}},
		"store": {"graphDriverName": "overlay", "graphRoot": "/storage", "graphRootAllocated": 270553174016, "graphRootUsed": 28622036992}}`})
	info, err := p.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := []string{info.Runtime.Name, info.Runtime.Version, info.Network.Version, info.Network.DNS.Version, info.GraphDriver, info.GraphRoot, fmt.Sprint(info.GraphAllocated), fmt.Sprint(info.GraphUsed)}
	want := []string{"crun", "crun version 1.8.1\ncommit: 1", "netavark 1.14.0", "aardvark-dns 1.14.0", "overlay", "/storage", "270553174016", "28622036992"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
