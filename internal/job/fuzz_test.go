package job

import (
	"strings"
	"testing"
)

// FuzzExpand: what is expanded once has the values as they are, and nothing else, and is
// never longer than it may be.
func FuzzExpand(f *testing.F) {
	f.Add("a$B${C}", "value")
	f.Fuzz(func(t *testing.T, text, value string) {
		const most = 1 << 10
		got, ok := Expand(text, most, func(string) string { return value })
		switch {
		case !ok:
			if len(text) <= most && len(text)*(len(value)+1) <= most {
				t.Errorf("%q with %q is given up", text, value)
			}
		case len(got) > most:
			t.Errorf("%q with %q is %d bytes long", text, value, len(got))
		// Nothing of a value is looked up again.
		case len(got) > len(text)*(len(value)+1):
			t.Errorf("%q with %q is %q", text, value, got)
		case !strings.Contains(text, "$") && got != text:
			t.Errorf("%q is %q", text, got)
		}
	})
}

// FuzzDefaultAliases: any image has one or two default aliases, without a slash.
func FuzzDefaultAliases(f *testing.F) {
	f.Add("registry.example.com:5000/a/b:1")
	f.Fuzz(func(t *testing.T, image string) {
		names := DefaultAliases(image)
		if len(names) < 1 || len(names) > 2 {
			t.Errorf("%q: %q", image, names)
		}
		for _, name := range names {
			if strings.Contains(name, "/") {
				t.Errorf("%q: %q", image, name)
			}
		}
	})
}

// FuzzOwner: a label that an image may have brought is an owner that is written as it was
// read, or none; none that is there for certain.
func FuzzOwner(f *testing.F) {
	f.Add("host/boot/pid:[4026531836]/1/2")
	f.Fuzz(func(t *testing.T, label string) {
		owner, err := ParseProcess(label)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("%q: %q", label, err)
			}
			return
		}
		again, err := ParseProcess(owner.String())
		if err != nil || again != owner || owner.PID <= 0 {
			t.Errorf("%q is %+v, and that is %+v, %v", label, owner, again, err)
		}
	})
}
