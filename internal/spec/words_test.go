package spec

import (
	"regexp"
	"strings"
	"testing"
)

func TestProjectWord(t *testing.T) {
	long := strings.Repeat("a", maxSlug)
	for path, want := range map[string]string{
		"": "", "a": "a", "grp/sub/proj": "grp+sub+proj", "a/b-c": "a+b-c", "a-b/c": "a-b+c",
		"a/.b": "a+.b", "_a/b": "_a+b", long: long,
	} {
		if got := projectWord(path); got != want {
			t.Errorf("%q: got %q, want %q", path, got, want)
		}
	}
	// What is not GitLab's, or too long, has a hash.
	hashed := regexp.MustCompile(`\Ax[a-z-]*\+\+[0-9a-f]{32}\z`)
	for _, path := range []string{".a/b", "-a/b", "a//b", "a/", "/a", "a+b", "a/b\n", long + "a", "ä/b"} {
		if got := projectWord(path); !hashed.MatchString(got) || len(got) > maxSlug {
			t.Errorf("%q: got %q", path, got)
		}
	}
}

// FuzzProjectWord: two paths never have one word, and no word is an option, or has what a
// scheduler or a shell has a meaning for.
func FuzzProjectWord(f *testing.F) {
	for _, pair := range [][2]string{{"a/b-c", "a-b/c"}, {"a/b", "a+b"}, {".a", "a"}, {"a", "A"}, {"a/", "a"}, {"x", "x++00"}, {"a b", "a\nb"}} {
		f.Add(pair[0], pair[1])
	}
	long := strings.Repeat("long/", 30)
	f.Add(long+"a", long+"b")
	f.Add(projectWord(".a"), ".a")
	word := regexp.MustCompile(`\A[A-Za-z0-9_][A-Za-z0-9._+-]{0,99}\z`)
	f.Fuzz(func(t *testing.T, one, other string) {
		a, b := projectWord(one), projectWord(other)
		if (a == b) != (one == other) {
			t.Errorf("%q and %q are both %q", one, other, a)
		}
		if one != "" && !word.MatchString(a) {
			t.Errorf("%q is %q", one, a)
		}
		if s := slug(one); s != "" && !word.MatchString(s) {
			t.Errorf("the slug of %q is %q", one, s)
		}
	})
}
