package policy

import "testing"

func TestSizes(t *testing.T) {
	for text, want := range map[string]string{
		"512m": "512m", "512M": "512m", "512MB": "512m", "512MiB": "512m", "512 m": "512m", "1024m": "1g", "1.5g": "1536m",
		"2t": "2t", "7": "7b", "7b": "7b", "1k": "1k", "1025": "1025b", "0.5": "0b", "0": "0b",
	} {
		n, err := ParseSize(text)
		if err != nil || n.String() != want {
			t.Errorf("%q is %s, %v, want %s", text, n, err, want)
		}
		if again, err := ParseSize(n.String()); err != nil || again != n {
			t.Errorf("%q is printed as %s, which is %d, %v", text, n, again, err)
		}
	}
	for text, want := range map[string]string{"1": "1", "1.50": "1.5", "0.25": "0.25", "0.000000001": "0.000000001", "064": "64"} {
		if n, err := ParseCPUs(text); err != nil || n.String() != want {
			t.Errorf("%q are %s CPUs, %v, want %s", text, n, err, want)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	for _, seed := range []string{"512m", "1.5gib", "-1", "1e9", "0x10", "9999999999999t", "1..2", " 1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := ParseSize(text); err == nil {
			if again, err := ParseSize(n.String()); err != nil || again != n || n < 0 || n > maxSize {
				t.Errorf("%q is %d, printed %s, read again %d, %v", text, n, n, again, err)
			}
		}
		if n, err := ParseCPUs(text); err == nil {
			if again, err := ParseCPUs(n.String()); err != nil || again != n || n < 0 || n > maxCPUs {
				t.Errorf("%q is %d, printed %s, read again %d, %v", text, n, n, again, err)
			}
		}
	})
}
