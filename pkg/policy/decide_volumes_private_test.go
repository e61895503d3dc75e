package policy

import "testing"

// What is the driver's, or another job's, is refused whatever the list allows, and
// without a word of what is there: existing, missing, a socket.
func TestPrivatePlaces(t *testing.T) {
	p := policyWith(t, "volume_allow_list = ['/home(/.*)?', '/data']\n")
	const private = `: this runner keeps its own files, or those of other jobs, there`
	const none = `: no entry of volume_allow_list matches the source with its symbolic links resolved`
	tests := []struct {
		name, source string
		r            VolumeRequest
		want         string
	}{
		{"there", "/home/ci", VolumeRequest{Resolved: "/home/ci", Mountable: true, Private: true}, private},
		{"a socket", "/home/ci/.s", VolumeRequest{Resolved: "/home/ci/.s", Private: true}, private},
		{"not there", "/home/ci/.x", VolumeRequest{Missing: "/home/ci/.x", Private: true}, private},
		{"by name, nothing known", "/home/ci/.x/y", VolumeRequest{PrivateName: true}, private},
		{"by name, a link out of what is allowed", "/home/ci/.x/y", VolumeRequest{Resolved: "/secret", PrivateName: true}, private},
		{"by name, a link into what is allowed", "/home/ci/.x/../.x", VolumeRequest{Resolved: "/data", Mountable: true, PrivateName: true}, private},
		{"a link from what is not allowed", "/srv/link", VolumeRequest{Resolved: "/home/ci", Mountable: true, Private: true}, private},
		{"not allowed, by name", "/srv/private", VolumeRequest{Resolved: "/srv/private", Mountable: true, Private: true, PrivateName: true}, none},
		{"not allowed, by a link", "/home/link", VolumeRequest{Resolved: "/srv/private", Mountable: true, Private: true}, none},
		{"not allowed, not there", "/home/link", VolumeRequest{Missing: "/srv/private/x", Private: true}, none},
	}
	for _, tt := range tests {
		tt.r.UserVolume = UserVolume{Variable: "V", Source: tt.source, Destination: "/x"}
		message, hint := deny(t, p, Request{Image: "x", Volumes: []VolumeRequest{tt.r}})
		if want := `policy denies V: volume "` + tt.source + `:/x"` + tt.want; message != want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, message, want)
		}
		if tt.want == private && hint != "mount a directory that contains only data (p.toml:5: general.podman.volume_allow_list)" {
			t.Errorf("%s: hint %s", tt.name, hint)
		}
	}
	grant(t, p, Request{Image: "x", Volumes: []VolumeRequest{volumeRequest(t, "/home/ci/data:/x")}})
}

func TestMayMount(t *testing.T) {
	p := policyWith(t, "volume_allow_list = ['/data']\n")
	for source, want := range map[string]bool{"/data": true, "/x": true, "/proc/1/root": false, "/": false, "/data/../sys": false, "/devices": true} {
		if p.MayMount(source) != want {
			t.Errorf("%s: %v", source, !want)
		}
	}
	if policyWith(t, "").MayMount("/data") {
		t.Error("without a list")
	}
}

// A path that no entry could match, nor one below it, is told by how entries begin.
func TestReaches(t *testing.T) {
	tests := []struct {
		list string
		yes  []string
		no   []string
	}{
		{`'/data/a'`, []string{"/", "/data", "/data/a", "/data/a/b"}, []string{"/net", "/net/evil", "/data/b", "/dat"}},
		{`'/net/files/ci(/.*)?'`, []string{"/net", "/net/files", "/net/files/ci", "/net/files/ci/x"}, []string{"/net/evil", "/net/filesx", "/net/files/home"}},
		{`'^/net/(a|b)/x'`, []string{"/net", "/net/a", "/net/c"}, []string{"/mnt"}},
		{`'\A/net/a/.*'`, []string{"/net/a", "/net/a/b"}, []string{"/net/b"}},
		{`'/data', '/net/a'`, []string{"/data", "/net/a"}, []string{"/net/b"}},
		{`'(?i)/net/a'`, []string{"/net/b"}, nil},
		{`'.*/data'`, []string{"/net/b"}, nil},
		{`'\Q/net/a.b'`, []string{"/net/a.b"}, []string{"/net/b"}},
		{`'/a|/net/b'`, []string{"/net/c"}, nil},
	}
	for _, tt := range tests {
		p := policyWith(t, "volume_allow_list = ["+tt.list+"]\n")
		for _, name := range tt.yes {
			if !p.Reaches(name) {
				t.Errorf("%s does not reach %s", tt.list, name)
			}
		}
		for _, name := range tt.no {
			if p.Reaches(name) {
				t.Errorf("%s reaches %s", tt.list, name)
			}
		}
	}
}
