//go:build !race

package policy

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// A decision allocates as often as it did: what needs more has to say so here, and
// what needs less, so that it stays that way. The race detector adds allocations, some by
// chance, so `make bench-counts` runs this without it.
func TestAllocationsOfDecisions(t *testing.T) {
	var list strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&list, "'r\\.example\\.org/group-%d/.*',", i)
	}
	volumes := policyWith(t, "user_volume_variable = \"V\"\nvolume_allow_list = ['/data/.*']\n")
	mounts := Request{Image: "alpine"}
	for i := range 100 {
		mounts.Volumes = append(mounts.Volumes, volumeRequest(t, fmt.Sprintf("/data/%[1]d:/mnt/%[1]d", i)))
	}
	for _, test := range []struct {
		name    string
		policy  *Policy
		request Request
		want    float64
	}{
		{"any image", policyWith(t, ""), Request{Image: "alpine"}, 32},
		{"the last of 1,000 images", policyWith(t, "image_allow_list = ["+list.String()+"]\n"), Request{Image: "r.example.org/group-999/x"}, 32},
		{"100 volumes", volumes, mounts, 649},
	} {
		grant(t, test.policy, test.request)
		got := testing.AllocsPerRun(100, func() { _, _ = test.policy.Decide(test.request) })
		if got != test.want {
			t.Errorf("%s: %v allocations, want %v", test.name, got, test.want)
		}
	}
}

// To read a long list costs what the TOML library and the regular expressions take for
// it, and a key does not cost more where another has a long list.
func TestAllocationsOfLongLists(t *testing.T) {
	for _, list := range longLists {
		text := longList(list.entry)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		parse(t, text)
		runtime.ReadMemStats(&after)
		if times, bytes := after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc; times > 300_000 || bytes > 22<<20 {
			t.Errorf("%s: to read the policy took %d allocations of %d bytes in all", list.name, times, bytes)
		}
	}
}
