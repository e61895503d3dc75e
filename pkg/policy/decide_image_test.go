package policy

import "testing"

func TestImageDecided(t *testing.T) {
	const allow = "default_image = \"debian:12\"\nimage_allow_list = ['r\\.example\\.org/.*', 'docker\\.io/library/(alpine|busybox):.*']\n"
	tests := []struct{ policy, image, want, rule string }{
		{"", "alpine", "docker.io/library/alpine:latest", ""},
		{"image_allow_list = []\n", "alpine", "docker.io/library/alpine:latest", ""},
		{allow, "r.example.org/x", "r.example.org/x:latest", `r\.example\.org/.*`},
		{allow, "R.EXAMPLE.org/x", "r.example.org/x:latest", `r\.example\.org/.*`},
		{allow, "index.docker.io/alpine:3", "docker.io/library/alpine:3", `docker\.io/library/(alpine|busybox):.*`},
		{allow, "", "docker.io/library/debian:12", ""}, // the administrator's own
	}
	for _, test := range tests {
		g := grant(t, policyWith(t, test.policy), Request{Image: test.image})
		if g.UserImage.String() != test.want || g.ImageRule != test.rule || g.DefaultImage != (test.image == "") || g.RunnerImage.String() != "r.example.org/runner:1" {
			t.Errorf("%q under %q: %+v", test.image, test.policy, g)
		}
	}
}

func TestImageDenied(t *testing.T) {
	const allow = "default_image = \"debian:12\"\nimage_allow_list = ['r\\.example\\.org/.*']\n"
	const nothing, listed = "no entry of image_allow_list matches", "p.toml:6: general.podman.image_allow_list lists what is allowed; ask the administrator of this runner for more"
	const write = "write `image:` in .gitlab-ci.yml as registry/path:tag"
	tests := []struct{ policy, image, message, hint string }{
		{"", "", "policy denies a job without an image: the job has no `image:`, and the policy has no default_image", "add `image:` to the job in .gitlab-ci.yml, or ask the administrator to set default_image in p.toml"},
		{allow, "debian:12", `policy denies image "docker.io/library/debian:12": ` + nothing, listed},
		{allow, "evil.io/r.example.org/x", `policy denies image "evil.io/r.example.org/x:latest": ` + nothing, listed},
		{allow, "r.example.org.evil.io/x", `policy denies image "r.example.org.evil.io/x:latest": ` + nothing, listed},
		{allow, "r-example.org/x", `policy denies image "r-example.org/x:latest": ` + nothing, listed},
		{allow, "r.example.org:443/x", `policy denies image "r.example.org:443/x:latest": ` + nothing, listed},
		{allow, "4e9f94", `policy denies image "docker.io/library/4e9f94:latest": ` + nothing, listed},
		{allow, "r.example.org/../evil", `policy denies the job's image: invalid image name "r.example.org/../evil": want [registry/]path[:tag] or [registry/]path@digest`, write},
		{allow, "docker://r.example.org/x", `policy denies the job's image: the image name "docker://r.example.org/x" has a transport: write it without "docker://"`, write},
		{"", "--privileged", `policy denies the job's image: invalid image name "--privileged": want [registry/]path[:tag] or [registry/]path@digest`, write},
		{"", "x\n", `policy denies the job's image: the image name "x\n" contains an invalid character`, write},
	}
	for _, test := range tests {
		message, hint := deny(t, policyWith(t, test.policy), Request{Image: test.image})
		if message != test.message || hint != test.hint {
			t.Errorf("%q:\n got %s\n     %s\nwant %s\n     %s", test.image, message, hint, test.message, test.hint)
		}
	}
}

func TestStepScriptOnlyHasNoRunnerImage(t *testing.T) {
	for _, image := range []string{"", "runner_image = \"r\"\n"} {
		p := parse(t, "[general]\nrun_mechanism = \"podman\"\ndata_dir = \"/d\"\n[general.podman]\nstep_script_only = true\n"+image)
		if g := grant(t, p, Request{Image: "x"}); g.RunnerImage != (Image{}) {
			t.Errorf("with %q the runner image is %q", image, g.RunnerImage)
		}
	}
}

func TestPlatformDecided(t *testing.T) {
	if g := grant(t, policyWith(t, ""), Request{Image: "x", Platform: "arm64"}); g.Platform.String() != "linux/arm64" {
		t.Errorf("got %q", g.Platform)
	}
	message, hint := deny(t, policyWith(t, ""), Request{Image: "x", Platform: "windows/amd64"})
	if message != `policy denies the job's image:docker:platform: podman cannot run the platform "windows/amd64": want linux` || hint != platformHint {
		t.Errorf("%s\n%s", message, hint)
	}
}
