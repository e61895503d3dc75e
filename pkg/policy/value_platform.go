package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Platform is the system and the architecture of an image. The zero Platform is the
// machine's own.
type Platform struct{ OS, Arch, Variant string }

// String returns OS/ARCHITECTURE[/VARIANT], and an empty string for the zero Platform.
func (p Platform) String() string {
	if p == (Platform{}) {
		return ""
	}
	return strings.TrimSuffix(p.OS+"/"+p.Arch+"/"+p.Variant, "/")
}

// platformPart is one part of a platform, such as "arm64" or "v8".
var platformPart = regexp.MustCompile(`\A[a-z0-9][a-z0-9_]{0,31}\z`)

// architectures may be a whole platform, without a system (go tool dist list, linux).
var architectures = []string{
	"386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le", "riscv64", "s390x",
}

// otherNames are other names for an architecture and a variant
// (github.com/containerd/platforms database.go).
var otherNames = map[string][2]string{
	"x86_64": {"amd64", ""}, "i386": {"386", ""}, "aarch64": {"arm64", ""}, "armhf": {"arm", "v7"}, "armel": {"arm", "v6"},
}

// ParsePlatform reads a job's `docker:platform`. An architecture alone means linux, and an
// empty string is the zero Platform. Systems other than linux are errors: podman cannot run
// their images.
func ParsePlatform(s string) (Platform, error) {
	if s == "" {
		return Platform{}, nil
	}
	bad := fmt.Errorf("invalid platform %q: want OS/ARCHITECTURE[/VARIANT]", truncate(s, 80))
	parts := strings.Split(strings.ToLower(s), "/")
	if len(parts) > 3 || slices.ContainsFunc(parts, func(part string) bool { return !platformPart.MatchString(part) }) {
		return Platform{}, bad
	}
	alone := len(parts) == 1
	if alone {
		parts = []string{"linux", parts[0]}
	}
	p := Platform{OS: parts[0], Arch: parts[1]}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	if name, ok := otherNames[p.Arch]; ok {
		p.Arch = name[0]
		if p.Variant == "" {
			p.Variant = name[1]
		}
	}
	if alone && !slices.Contains(architectures, p.Arch) {
		return Platform{}, bad
	}
	if p.OS != "linux" {
		return Platform{}, fmt.Errorf("podman cannot run the platform %q: want linux", truncate(s, 80))
	}
	return p, nil
}
