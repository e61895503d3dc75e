package policy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// volumeRequest parses a volume whose source is a directory without links.
func volumeRequest(t testing.TB, value string) VolumeRequest {
	t.Helper()
	v, err := ParseUserVolume("USER_VOLUMES", value)
	if err != nil {
		t.Fatalf("%q: %v", value, err)
	}
	return VolumeRequest{UserVolume: v, Resolved: v.Source, Mountable: true}
}

func TestNoUserVolumes(t *testing.T) {
	const shape, control = "want SRC:DST or SRC:DST:OPTS", "contains a control character"
	const named, clean = "the source must be an absolute path on the host; jobs cannot mount named volumes", "the destination must be a clean absolute path in the container"
	tests := []struct{ value, want string }{
		{"", shape},
		{"/y", shape},
		{"/a:/b:ro:z", shape},
		{"C:/a:/b:ro", shape},
		{":", named},
		{"name:/y", named},
		{":/y", named},
		{"./a:/y", named},
		{"~/a:/y", named},
		{"$HOME:/y", named},
		{"--privileged:/y", named},
		{"/a:", clean},
		{"/a:b", clean},
		{"/a:/b/", clean},
		{"/a:/mnt/../etc", clean},
		{"/a:/builds/..", clean},
		{"/a://b", clean},
		{"/a:/./b", clean},
		{"/a:/", "the destination cannot be the container's root"},
		{"/a:/x\n--privileged", control},
		{"/a\x00:/x", control},
		{"/a:/x\r", control},
		{"/a:/x\x1b[2J", control},
		{"/a:/x\u0085", control},
		{"/a\xff:/x", control},
		{"/" + strings.Repeat("a", maxVolumeValue) + ":/x", "longer than 8192 bytes"},
	}
	for _, test := range tests {
		got, err := ParseUserVolume("V", test.value)
		if err == nil || err.Error() != test.want || !cmp.Equal(got, UserVolume{}) {
			t.Errorf("%.99q: %+v, %v, want %s", test.value, got, err, test.want)
		}
	}
}

func TestVolumesGranted(t *testing.T) {
	const list = "volume_allow_list = ['/data/shared', '/data/[a-z]+(/.*)?']\n"
	tests := []struct {
		policy, value string
		want          Mount
	}{
		{list, "/data/shared:/x", Mount{Source: "/data/shared", Options: []string{"rw"}, Rule: "/data/shared"}},
		{list, "/data/a/b:/x", Mount{Source: "/data/a/b", Options: []string{"rw"}, Rule: "/data/[a-z]+(/.*)?"}},
		{list, "/data/a:/x:rw", Mount{Source: "/data/a", Options: []string{"rw"}, Rule: "/data/[a-z]+(/.*)?"}},
		{list, "/data/a:/x:ro,ro", Mount{Source: "/data/a", Options: []string{"ro"}, Rule: "/data/[a-z]+(/.*)?"}},
		{list + "volumes.read_only = true\n", "/data/a:/x", Mount{Source: "/data/a", Options: []string{"ro"}, Rule: "/data/[a-z]+(/.*)?"}},
		{list + "volumes.read_only = true\n", "/data/a:/x:ro", Mount{Source: "/data/a", Options: []string{"ro"}, Rule: "/data/[a-z]+(/.*)?"}},
		{list + "volumes.allowed_options = ['z', 'noexec']\n", "/data/a:/x:z,noexec,z,ro", Mount{Source: "/data/a", Options: []string{"ro", "noexec", "z"}, Rule: "/data/[a-z]+(/.*)?"}},
		{list + "volumes.allowed_options = ['z', 'noexec']\n", "/data/a:/x:z", Mount{Source: "/data/a", Options: []string{"rw", "z"}, Rule: "/data/[a-z]+(/.*)?"}},
	}
	for _, test := range tests {
		test.want.Destination, test.want.Variable = "/x", "USER_VOLUMES"
		g := grant(t, policyWith(t, test.policy), Request{Image: "x", Volumes: []VolumeRequest{volumeRequest(t, test.value)}})
		if diff := cmp.Diff([]Mount{test.want}, g.Mounts); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.value, diff)
		}
	}
}

// A service mounts by path, which a job can change that has a directory above it.
func TestVolumesOfAService(t *testing.T) {
	const service = "volume_allow_list = ['/data/[a-z]+(/.*)?']\nservice_url = 'unix:///run/podman.sock'\n"
	request := func(value string) Request {
		return Request{Image: "x", Volumes: []VolumeRequest{volumeRequest(t, value)}}
	}
	if g := grant(t, policyWith(t, service), request("/data/a:/x")); g.Mounts[0].Source != "/data/a" {
		t.Errorf("%+v", g.Mounts)
	}
	message, hint := deny(t, policyWith(t, service), request("/data/a/b/c:/x"))
	if want := `policy denies USER_VOLUMES: volume "/data/a/b/c:/x": jobs can also mount "/data/a/b" and so replace the source`; message != want || !strings.Contains(hint, "read_only") {
		t.Errorf("got %s\n%s\nwant %s", message, hint, want)
	}
	grant(t, policyWith(t, service+"volumes.read_only = true\n"), request("/data/a/b/c:/x"))
}

func TestResolvedPathIsWhatCounts(t *testing.T) {
	p := policyWith(t, "volume_allow_list = ['/data/.*']\n")
	request := func(source, resolved string) Request {
		return Request{Image: "x", Volumes: []VolumeRequest{{UserVolume: UserVolume{Variable: "V", Source: source, Destination: "/x"}, Resolved: resolved, Mountable: true}}}
	}
	for _, source := range []string{"/home/me/link", "/data/link", "/data/../data/a", "/data/a/"} {
		if g := grant(t, p, request(source, "/data/a")); g.Mounts[0].Source != "/data/a" {
			t.Errorf("%q: the source is %q", source, g.Mounts[0].Source)
		}
	}
	const hint = "p.toml:5: general.podman.volume_allow_list lists what is allowed; ask the administrator of this runner for more"
	tests := []struct{ source, resolved string }{
		{"/data/link", "/secret"},      // where a link leads is none of the job's business
		{"/data/../secret", "/secret"}, // nor is
		{"/home/me/link", "/secret"},
		{"/secret", ""},
		{"/data/link", ""}, // whether something is there
	}
	for _, test := range tests {
		message, got := deny(t, p, request(test.source, test.resolved))
		want := `policy denies V: volume "` + test.source + `:/x": no entry of volume_allow_list matches the source with its symbolic links resolved`
		if message != want || got != hint {
			t.Errorf("%q:\n got %s\n     %s\nwant %s\n     %s", test.source, message, got, want, hint)
		}
	}
	missing := request("/data/none", "")
	missing.Volumes[0].Missing = "/data/none"
	message, got := deny(t, p, missing)
	if message != `policy denies V: volume "/data/none:/x": the source does not exist on this host` || got != "check the path, or ask the administrator (p.toml:5: general.podman.volume_allow_list)" {
		t.Errorf("a source that does not exist: %s, %s", message, got)
	}
	missing.Volumes[0].Missing = "/secret/none"
	if message, _ := deny(t, p, missing); !strings.Contains(message, "no entry of volume_allow_list matches") {
		t.Errorf("a source that does not exist where no job may look: %s", message)
	}
}

func TestVolumesDenied(t *testing.T) {
	const all = "volume_allow_list = ['.*']\n"
	const hint, never = "choose another destination, such as /data", "mount a directory that contains only data"
	const read = all + "[general.podman.volumes]\nread_only = true\nallowed_options = ['z']\n"
	tests := []struct{ policy, value, reason, hint string }{
		{"", "/srv/a+b:/x", "the policy has no volume_allow_list, so no user volume is allowed", `the administrator can allow it with a line such as volume_allow_list = ["/srv/a\\+b(/.*)?"] under [general.podman] in p.toml (p.toml: general.podman.volume_allow_list)`},
		{"volume_allow_list = []\n", "/srv/../srv/:/x", "the policy has no volume_allow_list, so no user volume is allowed", `the administrator can allow it with a line such as volume_allow_list = ["/srv(/.*)?"] under [general.podman] in p.toml (p.toml:5: general.podman.volume_allow_list)`},
		{"", "/:/x", `"/" can never be mounted`, never},
		{"", "/a/../..:/x", `"/" can never be mounted`, never},
		{all, "/:/x", `"/" can never be mounted`, never},
		{all, "/proc/1:/x", `"/proc/1" can never be mounted`, never},
		{all, "/sys:/x", `"/sys" can never be mounted`, never},
		{all, "/dev/sda:/x", `"/dev/sda" can never be mounted`, never},
		{all, "/a:/builds", `the destination "/builds" conflicts with /builds`, hint},
		{all, "/a:/builds/x/y", `the destination "/builds/x/y" conflicts with /builds`, hint},
		{all, "/a:/run", `the destination "/run" conflicts with /run/podman-executor`, hint},
		{all, "/a:/run/podman-executor/x", `the destination "/run/podman-executor/x" conflicts with /run/podman-executor`, hint},
		{all, "/a:/etc", `the destination "/etc" conflicts with /etc/passwd`, hint},
		{all, "/a:/etc/passwd", `the destination "/etc/passwd" conflicts with /etc/passwd`, hint},
		{all, "/a:/proc/sys", `the destination "/proc/sys" conflicts with /proc`, hint},
		{all, "/a:/dev", `the destination "/dev" conflicts with /dev`, hint},
		{all, "/a:/x:", `the mount option "" is not allowed`, "the allowed options are ro, rw (p.toml: general.podman.volumes.allowed_options)"},
		{all, "/a:/x:U", `the mount option "U" is not allowed`, "the allowed options are ro, rw (p.toml: general.podman.volumes.allowed_options)"},
		{all, "/a:/x:O,upperdir=/s,workdir=/w", `the mount option "O" is not allowed`, "the allowed options are ro, rw (p.toml: general.podman.volumes.allowed_options)"},
		{all, "/a:/x:z", `the mount option "z" is not allowed`, "the allowed options are ro, rw (p.toml: general.podman.volumes.allowed_options)"},
		{read, "/a:/x:Z", `the mount option "Z" is not allowed`, "the allowed options are ro, z (p.toml:8: general.podman.volumes.allowed_options)"},
		{read, "/a:/x:RO", `the mount option "RO" is not allowed`, "the allowed options are ro, z (p.toml:8: general.podman.volumes.allowed_options)"},
		{read, "/a:/x:z,rw", "user volumes are read-only on this runner", "write ro instead of rw (p.toml:7: general.podman.volumes.read_only)"},
		{all, "/a:/x:ro,rw", "both ro and rw are requested", "keep one of them"},
	}
	for _, test := range tests {
		v := volumeRequest(t, test.value)
		message, got := deny(t, policyWith(t, test.policy), Request{Image: "x", Volumes: []VolumeRequest{v}, Reserved: []string{"/builds", "/cache", "/run/podman-executor"}})
		want := `policy denies USER_VOLUMES: volume "` + v.Source + ":" + v.Destination + `": ` + test.reason
		if message != want || got != test.hint {
			t.Errorf("%q:\n got %s\n     %s\nwant %s\n     %s", test.value, message, got, want, test.hint)
		}
	}
}

func TestOddSourcesDenied(t *testing.T) {
	p := policyWith(t, "volume_allow_list = ['.*', '(?s).*']\n")
	tests := []struct {
		resolved  string
		mountable bool
		want      string
	}{
		{"/run/podman.sock", false, "the source is neither a directory nor a regular file"},
		{"/a:b", true, "the resolved path of the source contains a colon or a newline"},
		{"/a\nb", true, "the resolved path of the source contains a colon or a newline"},
		{"/", true, `"/link" can never be mounted`},
		{"/proc/self/root", true, `"/link" can never be mounted`},
		{"/dev", true, `"/link" can never be mounted`},
	}
	for _, test := range tests {
		v := VolumeRequest{UserVolume: UserVolume{Variable: "V", Source: "/link", Destination: "/x"}, Resolved: test.resolved, Mountable: test.mountable}
		message, _ := deny(t, p, Request{Image: "x", Volumes: []VolumeRequest{v}})
		if message != `policy denies V: volume "/link:/x": `+test.want {
			t.Errorf("%q: %s", test.resolved, message)
		}
	}
	// A name that only begins like one of those is fine.
	for _, source := range []string{"/processes", "/system", "/devel"} {
		grant(t, p, Request{Image: "x", Volumes: []VolumeRequest{volumeRequest(t, source+":/x")}})
	}
	for _, destination := range []string{"/buildsx", "/etcetera", "/etc/ssl", "/run/x"} {
		grant(t, p, Request{Image: "x", Volumes: []VolumeRequest{volumeRequest(t, "/a:"+destination)}, Reserved: []string{"/builds"}})
	}
}

func TestSameDestinationTwice(t *testing.T) {
	p := policyWith(t, "volume_allow_list = ['/a', '/b']\n")
	first, second := volumeRequest(t, "/a:/x"), volumeRequest(t, "/b:/x")
	second.Variable = "USER_VOLUMES_2"
	message, hint := deny(t, p, Request{Image: "x", Volumes: []VolumeRequest{first, second}})
	if message != `policy denies USER_VOLUMES_2: destination "/x": already the destination of USER_VOLUMES` || hint != "give each volume a different destination" {
		t.Errorf("%s, %s", message, hint)
	}
	second.Destination = "/y"
	if g := grant(t, p, Request{Image: "x", Volumes: []VolumeRequest{first, second}}); len(g.Mounts) != 2 || g.Mounts[1].Source != "/b" || g.Mounts[1].Variable != "USER_VOLUMES_2" {
		t.Errorf("%+v", g.Mounts)
	}
	// One that is refused refuses them all.
	second.Resolved = "/c"
	deny(t, p, Request{Image: "x", Volumes: []VolumeRequest{first, second}})
}

func TestLongVolumesAreCutInMessages(t *testing.T) {
	long := "/" + strings.Repeat("ä", 1000)
	message, hint := deny(t, policyWith(t, "volume_allow_list = ['/data']\n"), Request{Image: "x", Volumes: []VolumeRequest{volumeRequest(t, long+":"+long)}})
	if len(message) > 1000 || len(hint) > 200 || strings.Contains(message, `\x`) {
		t.Errorf("%d bytes: %s", len(message), message)
	}
}

func TestTmpfsIsNoVolume(t *testing.T) {
	p := parse(t, smallPolicy("volume_allow_list = [\"/data\"]\n[general.podman.container.tmpfs]\n\"/scratch\" = \"\"\n"))
	message, _ := deny(t, p, Request{Image: "x", Volumes: []VolumeRequest{{UserVolume: UserVolume{Variable: "V", Source: "/data", Destination: "/scratch"}, Resolved: "/data", Mountable: true}}})
	if message != `policy denies V: destination "/scratch": already the destination of a tmpfs of the policy` {
		t.Error(message)
	}
}
