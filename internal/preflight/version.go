package preflight

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Version is a program's: major, minor, patch.
type Version [3]int

// Floor is the oldest podman that the driver is made for and tested with.
var Floor = Version{4, 3, 0}

var versionForm = regexp.MustCompile(`(?:\A|[ v])([0-9]{1,5})\.([0-9]{1,5})(?:\.([0-9]{1,5}))?`)

// ParseVersion finds the version in a program's output: "4.3.1", "crun version 1.8.1",
// "v5.8.4-rhel". A version before a release, such as 5.8.4-rc1, is taken for the release.
func ParseVersion(text string) (Version, bool) {
	text, _, _ = strings.Cut(text, "\n")
	found := versionForm.FindStringSubmatch(text)
	if found == nil {
		return Version{}, false
	}
	var v Version
	for i := range v {
		v[i], _ = strconv.Atoi(found[i+1])
	}
	return v, true
}

// String returns the version with dots.
func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]) }

// Before reports whether v is older.
func (v Version) Before(other Version) bool { return slices.Compare(v[:], other[:]) < 0 }

// hole is a known vulnerability that lets a job do what it may not.
type hole struct {
	program, cve string
	// first is the first version that has the hole; the zero Version: all before fixed.
	first, fixed Version
	// also are versions of older branches that have the fix.
	also []Version
	what string
}

// holes are those of podman and the programs that it runs which jobs could use, with an image
// or in a container. Holes of `podman build`, `cp`, `top`, `machine` and `volume export` are
// not listed, because the driver does not call these. Neither is CVE-2026-55686, an image's
// WORKDIR that makes directories on the host (podman 3.0 to 5.7.0): the driver does not let
// podman use an image's WORKDIR, see docs/decisions/0032. crun has none of runc's
// (containers/crun issue 1906).
var holes = []hole{
	// flatcar/Flatcar issue 2083
	{"podman", "CVE-2026-57231", Version{}, Version{5, 8, 4}, nil, "an image reads podman's environment"},
	// podman RELEASE_NOTES.md, 5.2.5; coreos/fedora-coreos-tracker issue 1821
	{"podman", "CVE-2024-9676", Version{}, Version{5, 2, 5}, nil, "an image's /etc/passwd makes podman hang"},
	// opencontainers/runc CHANGELOG.md, 1.2.8 and 1.3.3
	{"runc", "CVE-2025-31133", Version{}, Version{1, 3, 3}, []Version{{1, 2, 8}}, "a container writes to the host's /proc"},
	{"runc", "CVE-2025-52565", Version{}, Version{1, 3, 3}, []Version{{1, 2, 8}}, "a container writes to the host's /proc"},
	{"runc", "CVE-2025-52881", Version{}, Version{1, 3, 3}, []Version{{1, 2, 8}}, "a container writes to the host's /proc"},
	// opencontainers/runc CHANGELOG.md, 1.1.12
	{"runc", "CVE-2024-21626", Version{}, Version{1, 1, 12}, nil, "an image's WORKDIR is a directory of the host"},
	// flatcar/Flatcar issue 2221
	{"aardvark-dns", "CVE-2026-35406", Version{1, 16, 0}, Version{1, 17, 1}, nil, "a container's query makes it hang"},
}

func (h hole) in(program string, v Version) bool {
	if h.program != program || v.Before(h.first) || !v.Before(h.fixed) {
		return false
	}
	return !slices.ContainsFunc(h.also, func(fix Version) bool {
		return fix[0] == v[0] && fix[1] == v[1] && !v.Before(fix)
	})
}

// Program checks that podman, or a program that it runs, is not too old and has no known hole.
// Distributions fix holes without a new version, so these are warnings.
func Program(name, says string) Result {
	r := Result{Check: name}
	v, ok := ParseVersion(says)
	if !ok {
		r.Level, r.Detail = Warning, fmt.Sprintf("unknown version: %q", says)
		r.Hint = "check that it is at least " + Floor.String()
		if name != "podman" {
			r.Hint = "update it"
		}
		return r
	}
	r.Detail = v.String()
	if name == "podman" && v.Before(Floor) {
		r.Level, r.Detail = Error, fmt.Sprintf("podman %s is too old: the driver needs %s or newer", v, Floor)
		r.Hint = "update podman, or set general.podman.application_path to a newer one"
		return r
	}
	var found []string
	newest := Version{}
	for _, h := range holes {
		if h.in(name, v) {
			found = append(found, fmt.Sprintf("%s (%s)", h.cve, h.what))
			if newest.Before(h.fixed) {
				newest = h.fixed
			}
		}
	}
	if len(found) > 0 {
		r.Level = Warning
		r.Detail = fmt.Sprintf("%s, as released, has %s", v, list(found))
		r.Hint = fmt.Sprintf("update %s to %s or newer, or check that your distribution has backported the fixes", name, newest)
	}
	return r
}
