package policy

import (
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

func TestParseUserVolume(t *testing.T) {
	tests := []struct {
		value string
		want  UserVolume
	}{
		{"/a:/b", UserVolume{Source: "/a", Destination: "/b"}},
		{"/a:/b:ro", UserVolume{Source: "/a", Destination: "/b", Options: []string{"ro"}}},
		{"/a:/b:", UserVolume{Source: "/a", Destination: "/b", Options: []string{""}}},
		{"/a:/b:ro,z", UserVolume{Source: "/a", Destination: "/b", Options: []string{"ro", "z"}}},
		{"/a/../b/:/c d,e", UserVolume{Source: "/a/../b/", Destination: "/c d,e"}},
		{"/ä:/ö", UserVolume{Source: "/ä", Destination: "/ö"}},
	}
	for _, test := range tests {
		test.want.Variable = "V"
		got, err := ParseUserVolume("V", test.value)
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("%q: %v\n%s", test.value, err, diff)
		}
	}
}

// FuzzUserVolume: a value is refused in one line, or its mount is of the resolved
// source, which the rule matches and nothing private overlaps; podman splits it into
// three parts, and asked for as it was granted it is granted as it is. A refusal
// comes before any podman command (cmd/prepare/testdata/denied-volumes.txtar).
func FuzzUserVolume(f *testing.F) {
	for _, seed := range []string{"/a:/b", "/a:/b:ro,z", "/a/../b:/x/../y:O,upperdir=/s", "/a:/x\n-v", "name:/x", "/:/", "/a:/builds/x", "/a:/b:ro,rw"} {
		f.Add(seed, "/data/a")
	}
	for _, resolved := range []string{"/data", "/data/private", "/data/private/x", "/data/privates", "/database", "/data/a:/etc", "/data/\n", "/", "/proc/1"} {
		f.Add("/a:/b", resolved)
	}
	private := func(name string) bool {
		return name == "/data" || within(name, []string{"/data/private"})
	}
	p := policyWith(f, "volume_allow_list = ['/data(/.*)?']\n[general.podman.volumes]\nallowed_options = [\"z\"]\n")
	f.Fuzz(func(t *testing.T, value, resolved string) {
		v, err := ParseUserVolume("V", value)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("%q: %q", value, err)
			}
			return
		}
		// As if a link led there.
		request := Request{Image: "x", Reserved: []string{"/builds"}}
		request.Volumes = []VolumeRequest{{UserVolume: v, Resolved: path.Clean("/" + resolved), Mountable: true, Private: private(path.Clean("/" + resolved))}}
		g, err := p.Decide(request)
		if err != nil {
			return
		}
		m := g.Mounts[0]
		text := m.Source + ":" + m.Destination + ":" + strings.Join(m.Options, ",")
		parts := strings.Split(text, ":")
		if len(parts) != 3 || !strings.HasPrefix(parts[1], "/") || strings.HasPrefix(parts[1]+"/", "/builds/") || strings.Contains(parts[1], "/../") {
			t.Errorf("%q is granted as %q", value, parts)
		}
		if !within(m.Source, []string{"/data"}) || private(m.Source) || m.Source != request.Volumes[0].Resolved {
			t.Errorf("%q at %q is granted as %q", value, resolved, text)
		}
		if m.Options[0] != "ro" && m.Options[0] != "rw" || slices.ContainsFunc(m.Options[1:], func(o string) bool { return o != "z" }) {
			t.Errorf("%q is granted with %q", value, m.Options)
		}
		if strings.ContainsFunc(text, unicode.IsControl) || strings.ContainsRune(text, unicode.ReplacementChar) {
			return // such a source of the host cannot be asked for by its own name
		}
		again, err := ParseUserVolume("V", text)
		request.Volumes[0].UserVolume = again
		if g, decided := p.Decide(request); err != nil || decided != nil || !reflect.DeepEqual(g.Mounts[0], m) {
			t.Errorf("%q is granted as %q, and that is not: %v, %v", value, text, err, decided)
		}
	})
}

func TestParseContainerVolume(t *testing.T) {
	for text, want := range map[string]ContainerVolume{
		"/srv/x:/x":            {Source: "/srv/x", Destination: "/x"},
		"/srv/x:/x:ro,z":       {Source: "/srv/x", Destination: "/x", Options: "ro,z"},
		"shared.cache:/c":      {Source: "shared.cache", Destination: "/c"},
		"/root/.m2":            {Destination: "/root/.m2"},
		"/:/host:ro":           {Source: "/", Destination: "/host", Options: "ro"},
		"/a b:/c d":            {Source: "/a b", Destination: "/c d"},
		"/x:/y:idmap=gids=0-1": {Source: "/x", Destination: "/y", Options: "idmap=gids=0-1"},
	} {
		got, err := parseContainerVolume(text)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%q: %v (-want +got):\n%s", text, err, diff)
		}
		if got.String() != text {
			t.Errorf("%q becomes %q", text, got)
		}
	}
	const (
		shape       = "want SOURCE:DESTINATION, SOURCE:DESTINATION:OPTIONS or a DESTINATION alone"
		source      = "the source must be a clean absolute path on the host, or the name of a podman volume"
		destination = "the destination must be a clean absolute path in the container below /"
		options     = "want options separated by commas after the second colon"
	)
	for text, want := range map[string]string{
		"":                     destination,
		"x":                    destination,
		"/":                    destination,
		"/x/":                  destination,
		"/x/../y":              destination,
		"/x:y":                 destination,
		"/x:":                  destination,
		":/y":                  source,
		"./x:/y":               source,
		"../x:/y":              source,
		"/x/../y:/y":           source,
		"-x:/y":                source,
		"/x:/y:":               options,
		"/x:/y:ro,":            options,
		"/x:/y:r o":            options,
		"/a:/b:ro:z":           shape,
		"/a\n:/b":              "contains a control character",
		"podman-executor-x:/y": "volumes with names that begin with podman-executor- are reserved for the driver",
	} {
		if _, err := parseContainerVolume(text); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}
