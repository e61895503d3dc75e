package policy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

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
		source      = "the source must be an absolute, clean path of the host, or the name of a podman volume"
		destination = "the destination must be an absolute, clean path of the container below /"
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
		"/a\n:/b":              "it has a control character",
		"podman-executor-x:/y": "volumes with names that begin with podman-executor- are the jobs' own",
	} {
		if _, err := parseContainerVolume(text); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}
