package policy

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	zeros  = "0000000000000000000000000000000000000000000000000000000000000000"
	digest = "@sha256:" + zeros
)

func TestImageNames(t *testing.T) {
	tests := []struct{ name, want string }{
		{"debian", "docker.io/library/debian:latest"},
		{"debian:12", "docker.io/library/debian:12"},
		{"group/app", "docker.io/group/app:latest"},
		{"docker.io/debian", "docker.io/library/debian:latest"},
		{"docker.io/library/debian:12", "docker.io/library/debian:12"},
		{"DOCKER.IO/library/debian", "docker.io/library/debian:latest"},
		{"index.docker.io/debian", "docker.io/library/debian:latest"},
		{"Index.Docker.IO/library/debian", "docker.io/library/debian:latest"},
		// One registry, by podman's credentials, too; it has no other names there.
		{"registry-1.docker.io/team/private:1", "docker.io/team/private:1"},
		{"Registry-1.Docker.io/debian", "docker.io/library/debian:latest"},
		{"registry-1.docker.io/team/private" + digest, "docker.io/team/private" + digest},
		{"registry-1.docker.io:443/team/private", "registry-1.docker.io:443/team/private:latest"},
		{"docker.io:443/team/private", "docker.io:443/team/private:latest"},
		{"registry-2.docker.io/x", "registry-2.docker.io/x:latest"},
		{"evil.io/registry-1.docker.io/x", "evil.io/registry-1.docker.io/x:latest"},
		{"registry-1.docker.io", "docker.io/library/registry-1.docker.io:latest"},
		{"registry.example.com:443/x", "registry.example.com:443/x:latest"},
		{"registry.example.com:0443/x", "registry.example.com:0443/x:latest"},
		{"XN--BCHER-KVA.example/x", "xn--bcher-kva.example/x:latest"},
		{"[2001:DB8::1]/x", "[2001:db8::1]/x:latest"},
		{"Registry.Example.ORG/Group", ""},
		{"Registry.Example.ORG/group:V1", "registry.example.org/group:V1"},
		{"localhost/x", "localhost/x:latest"},
		{"LocalHost:5000/x", "localhost:5000/x:latest"},
		{"127.0.0.1:5000/a/b/c:1", "127.0.0.1:5000/a/b/c:1"},
		{"[::1]:5000/x", "[::1]:5000/x:latest"},
		{"docker.io", "docker.io/library/docker.io:latest"},
		{"a__b/c-d.e_f", "docker.io/a__b/c-d.e_f:latest"},
		{"hello", "docker.io/library/hello:latest"},
		{"4e9f94", "docker.io/library/4e9f94:latest"},
		{"sha256:" + zeros, "docker.io/library/sha256:" + zeros},
		{"debian" + digest, "docker.io/library/debian" + digest},
		{"debian:12" + digest, "docker.io/library/debian" + digest},
		{"registry.example.org:5000/x:1" + digest, "registry.example.org:5000/x" + digest},
		{"alpine.evil.com:443/x", "alpine.evil.com:443/x:latest"},
		{"evil.io/registry.example.com/x", "evil.io/registry.example.com/x:latest"},
		// No transport: the name of a repository that happens to be the same.
		{"docker-archive:f", "docker.io/library/docker-archive:f"},
	}
	for _, test := range tests {
		image, err := ParseImage(test.name)
		if image.String() != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%q is %q, %v, want %q", test.name, image, err, test.want)
		}
	}
}

const shape = "want [registry/]path[:tag] or [registry/]path@digest"

// noImageNames are texts that are not image names, and why.
var noImageNames = []struct{ name, want string }{
	{"", `invalid image name "": ` + shape},
	{"--privileged", `invalid image name "--privileged": ` + shape},
	{"-v/:/h", `invalid image name "-v/:/h": ` + shape},
	{"--help", `invalid image name "--help": ` + shape},
	{"dir:/etc", `invalid image name "dir:/etc": ` + shape},
	{"oci:/x", `invalid image name "oci:/x": ` + shape},
	{"oci-archive:/f", `invalid image name "oci-archive:/f": ` + shape},
	{"docker-archive:/f", `invalid image name "docker-archive:/f": ` + shape},
	{"containers-storage:[overlay@/x]y", `invalid image name "…@/x]y": ` + shape},
	{"docker-daemon:x:1", `invalid image name "docker-daemon:x:1": ` + shape},
	{"docker://debian", `the image name "docker://debian" has a transport: write it without "docker://"`},
	{"DOCKER://debian", `the image name "DOCKER://debian" has a transport: write it without "DOCKER://"`},
	{"https://user:secret@registry.example.org/x", `the image name "…@registry.example.org/x" has a transport: write it without "https://"`},
	{"user:secret@registry.example.org/x", `invalid image name "…@registry.example.org/x": ` + shape},
	{"user:sec/r@et@registry.example.org/x y", `the image name "…@registry.example.org/x y" contains an invalid character`},
	{zeros, `invalid image name "` + zeros + `": an image ID is not a name`},
	{"registry.example.com/ok/../evil", `invalid image name "registry.example.com/ok/../evil": ` + shape},
	{"registry.example.com//x", `invalid image name "registry.example.com//x": ` + shape},
	{"./x", `invalid image name "./x": ` + shape},
	{"x/", `invalid image name "x/": ` + shape},
	{"/x", `invalid image name "/x": ` + shape},
	{"debian\n", `the image name "debian\n" contains an invalid character`},
	{"debian\t", `the image name "debian\t" contains an invalid character`},
	{" debian", `the image name " debian" contains an invalid character`},
	{"debian\x00", `the image name "debian\x00" contains an invalid character`},
	{"debian\x7f", `the image name "debian\x7f" contains an invalid character`},
	{"debian\u202e", `the image name "debian\u202e" contains an invalid character`},
	{"debian\xff", `the image name "debian\xff" contains an invalid character`},
	{"dеbian", `the image name "dеbian" contains an invalid character`}, // a Cyrillic letter
	{"$IMAGE", `the image name "$IMAGE" has a variable that is not set`},
	{"debian:${TAG}", `the image name "debian:${TAG}" has a variable that is not set`},
	{"Debian", `invalid image name "Debian": the path must be lower case`},
	{"registry.example.org/X", `invalid image name "registry.example.org/X": the path must be lower case`},
	{"FOO/bar", `invalid image name "FOO/bar": the registry must be a host name in lower case, with a dot or a port`},
	{"a_b.c/x", `invalid image name "a_b.c/x": the registry must be a host name in lower case, with a dot or a port`},
	{"docker.io./library/x", `invalid image name "docker.io./library/x": ` + shape},
	{"registry-1.docker.io./x", `invalid image name "registry-1.docker.io./x": ` + shape},
	{"registry.example.com:/x", `invalid image name "registry.example.com:/x": ` + shape},
	{"[::1%25lo]:5000/x", `invalid image name "[::1%25lo]:5000/x": ` + shape},
	{"LOCALHOST/x", `invalid image name "LOCALHOST/x": the registry must be a host name in lower case, with a dot or a port`},
	{"bücher.example/x", `the image name "bücher.example/x" contains an invalid character`},
	{"registry.example.com./x", `invalid image name "registry.example.com./x": ` + shape},
	{"debian@sha256:00", `invalid image name "debian@sha256:00": ` + shape},
	{"debian@md5:" + zeros[:32], `invalid image name "debian@md5:` + zeros[:32] + `": unsupported digest algorithm`},
	{"debian:", `invalid image name "debian:": ` + shape},
	{"debian:" + strings.Repeat("a", 129), `invalid image name "debian:` + strings.Repeat("a", 129) + `": ` + shape},
	{strings.Repeat("a", 256), `the image name is longer than 255 bytes: "` + strings.Repeat("a", 60) + `…"`},
	{strings.Repeat("ä", 1<<19), `the image name is longer than 255 bytes: "` + strings.Repeat("ä", 30) + `…"`},
	{strings.Repeat("a", 235), `the image name is longer than 255 bytes with its registry and tag or digest: "` + strings.Repeat("a", 60) + `…"`},
}

func TestNoImageNames(t *testing.T) {
	for _, test := range noImageNames {
		image, err := ParseImage(test.name)
		switch {
		case err == nil || image != Image{}:
			t.Errorf("%.300q is %q, %v, want %q", test.name, image, err, test.want)
		case err.Error() != test.want:
			t.Errorf("%.300q:\n got %s\nwant %s", test.name, err, test.want)
		}
	}
}

// FuzzImageName: a name is refused in one short line, or has a normalised form that
// is its own normalised form. It is granted if and only if the rule matches the
// whole of that form, and that form is what podman gets. A refusal comes before any
// podman command (cmd/prepare/testdata/denied-images.txtar).
func FuzzImageName(f *testing.F) {
	const rule = `r\.example\.org/.*|docker\.io/library/[a-z]+:[0-9]+`
	p := policyWith(f, "image_allow_list = ['"+rule+"']\n")
	whole := regexp.MustCompile(`\A(?:` + rule + `)\z`)
	for _, seed := range []string{"evil.io/r.example.org/x", "r.example.org/x", "r.example.org.evil.io/x", "debian:12", "alpine:3\n", "docker.io/library/a:1"} {
		f.Add(seed)
	}
	for _, seed := range []string{"debian", "FOO/bar", "docker.io/a:b" + digest, "[::1]:5000/x", "a/b/c:d", "localhost/x", "index.docker.io/x", "dir:/etc", "a_b.c/x", "x:" + zeros, "u:p@h/x", strings.Repeat("a", 240)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		image, err := ParseImage(name)
		if err != nil {
			if image != (Image{}) || len(err.Error()) > 4*maxImageName+200 || !utf8.ValidString(err.Error()) || strings.ContainsAny(err.Error(), "\n\r\x1b") {
				t.Errorf("%q: %q, %q", name, image, err)
			}
			return
		}
		got := image.String()
		if again, err := ParseImage(got); err != nil || again != image {
			t.Fatalf("%q is %q, and that is %q, %v", name, got, again, err)
		}
		g, err := p.Decide(Request{Image: name})
		if name != "" && (err == nil) != whole.MatchString(got) || err == nil && g.UserImage.String() != got {
			t.Errorf("%q is %q: %v, although the rule matches: %v", name, got, err, whole.MatchString(got))
		}
		registry, rest, ok := strings.Cut(got, "/")
		if !ok || registry != "localhost" && !strings.ContainsAny(registry, ".:") || registry != strings.ToLower(registry) {
			t.Errorf("%q is %q: no registry", name, got)
		}
		path, tagged := strings.CutSuffix(rest, rest[strings.LastIndexByte(rest, '/')+1:])
		last := strings.TrimPrefix(rest, path)
		if !tagged || !strings.ContainsAny(last, ":@") || strings.HasPrefix(last, ":") || strings.HasPrefix(last, "@") {
			t.Errorf("%q is %q: no path, tag or digest", name, got)
		}
		if strings.ContainsAny(got, " \\\"'$*?[") && !strings.HasPrefix(got, "[") || strings.HasPrefix(got, "-") || strings.Contains(got, "..") && !strings.Contains(got, ":") {
			t.Errorf("%q is %q", name, got)
		}
	})
}

func TestRepository(t *testing.T) {
	const digest = "@sha256:0123456789012345678901234567890123456789012345678901234567890123"
	for name, want := range map[string]string{
		"debian": "docker.io/library/debian", "r.example.org:5000/a/b:1": "r.example.org:5000/a/b",
		"r.example.org:5000/a/b": "r.example.org:5000/a/b", "r.example.org/a:2" + digest: "r.example.org/a", "localhost/x" + digest: "localhost/x",
	} {
		image, err := ParseImage(name)
		if err != nil || image.Repository() != want {
			t.Errorf("%s: %q, %v, want %q", name, image.Repository(), err, want)
		}
	}
}

func TestRepositoryOf(t *testing.T) {
	for name, want := range map[string]string{
		"docker.io/library/debian:12": "docker.io/library/debian", "r.example.com:5000/a": "r.example.com:5000/a", "r.example.com:5000/a/b:1": "r.example.com:5000/a/b",
		"r.example.com/a@sha256:00": "r.example.com/a", "r.example.com/a:1@sha256:00": "r.example.com/a", "": "",
	} {
		if got := RepositoryOf(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
