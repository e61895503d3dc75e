package policy

import (
	"strings"
	"testing"
)

func TestPlatforms(t *testing.T) {
	for s, want := range map[string]string{
		"": "", "linux/amd64": "linux/amd64", "linux/arm64/v8": "linux/arm64/v8", "Linux/ARM64": "linux/arm64",
		"arm64": "linux/arm64", "s390x": "linux/s390x", "x86_64": "linux/amd64", "linux/aarch64": "linux/arm64",
		"armhf": "linux/arm/v7", "linux/armel": "linux/arm/v6", "linux/arm/v6": "linux/arm/v6", "linux/new_one": "linux/new_one",
	} {
		if p, err := ParsePlatform(s); err != nil || p.String() != want {
			t.Errorf("%q is %q, %v, want %q", s, p, err, want)
		}
	}
	const form = ": want OS/ARCHITECTURE[/VARIANT]"
	for s, want := range map[string]string{
		"linux": `invalid platform "linux"` + form, "my-cpu": `invalid platform "my-cpu"` + form, "linux/": `invalid platform "linux/"` + form, "/amd64": `invalid platform "/amd64"` + form,
		"a/b/c/d": `invalid platform "a/b/c/d"` + form, "linux/amd64 ": `invalid platform "linux/amd64 "` + form, "linux/amd64\n": `invalid platform "linux/amd64\n"` + form,
		"linux/--privileged": `invalid platform "linux/--privileged"` + form, "$PLATFORM": `invalid platform "$PLATFORM"` + form,
		"windows/amd64":         `podman cannot run the platform "windows/amd64": want linux`,
		strings.Repeat("x", 99): `invalid platform "` + strings.Repeat("x", 80) + `…"` + form,
	} {
		if p, err := ParsePlatform(s); err == nil || err.Error() != want || p != (Platform{}) {
			t.Errorf("%q: %v, want %s", s, err, want)
		}
	}
}

func FuzzParsePlatform(f *testing.F) {
	for _, s := range []string{"", "linux/arm64/v8", "aarch64", "armhf", "Linux/X86_64", "a/b/c/d", "linux/--x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePlatform(s)
		if err != nil {
			return
		}
		if again, err := ParsePlatform(p.String()); err != nil || again != p {
			t.Errorf("%q is %q, and that is %q, %v", s, p, again, err)
		}
		if strings.ContainsAny(p.String(), "- \n\x00") {
			t.Errorf("%q is %q", s, p)
		}
	})
}
