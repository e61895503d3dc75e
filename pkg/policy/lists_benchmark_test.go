package policy

import (
	"fmt"
	"strings"
	"testing"
)

// longList is a policy with every key, and 10,000 entries in its list of images.
func longList(entry string) string {
	var list strings.Builder
	list.WriteString("[\n")
	for i := range 10_000 {
		fmt.Fprintf(&list, "  '"+entry+"',\n", i)
	}
	text, _ := write(with("general.podman.image_allow_list", list.String()+"]"))
	return text
}

// longLists are such policies by what their entries are.
var longLists = []struct{ name, entry, last string }{
	{"paths", `registry\.example\.com/group-%d/[a-z]+:.*`, "registry.example.com/group-9999/x"},
	{"literals", `registry\.example\.com/group/image-%d:1`, "registry.example.com/group/image-9999:1"},
	{"any registry", `[a-z.]+/group-%d/[a-z]+:.*`, "registry.example.com/group-9999/x"},
}

func BenchmarkParseLongList(b *testing.B) {
	for _, list := range longLists {
		text := longList(list.entry)
		b.Run(list.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse("p.toml", strings.NewReader(text)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecideByLongList(b *testing.B) {
	for _, list := range longLists {
		p := parse(b, longList(list.entry))
		b.Run(list.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Decide(Request{Image: list.last}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
