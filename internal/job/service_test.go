package job

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The names of gitlab-runner's own test
// (helpers/container/services/test/test.go:16), and some more.
func TestDefaultAliases(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("0123456789abcdef", 4)
	tests := []struct{ image, want string }{
		{"service", "service"},
		{"service:version", "service"},
		{"postgres:16", "postgres"},
		{"namespace/service", "namespace__service namespace-service"},
		{"namespace/service:version", "namespace__service namespace-service"},
		{"a/b/c", "a__b__c a-b-c"},
		{"domain.tld/service", "domain.tld__service domain.tld-service"},
		{"domain.tld/namespace/service:version", "domain.tld__namespace__service domain.tld-namespace-service"},
		{"domain.tld:8080/service", "domain.tld__service domain.tld-service"},
		{"domain.tld:8080/service:version", "domain.tld__service domain.tld-service"},
		{"subdomain.domain.tld:8080/namespace/service", "subdomain.domain.tld__namespace__service subdomain.domain.tld-namespace-service"},
		{"service" + digest, "service"},
		{"namespace/service" + digest, "namespace__service namespace-service"},
		{"domain.tld:8080/namespace/service" + digest, "domain.tld__namespace__service domain.tld-namespace-service"},
		{"reg.example.com:5000/group/pg:1" + digest, "reg.example.com__group__pg reg.example.com-group-pg"},
		{"postgres:16" + digest, "postgres"},
		{"localhost/x:1", "localhost__x localhost-x"},
		{"Reg.Example.com/x", "Reg.Example.com__x Reg.Example.com-x"},
	}
	for _, test := range tests {
		if got := strings.Join(DefaultAliases(test.image), " "); got != test.want {
			t.Errorf("%q: %q, want %q", test.image, got, test.want)
		}
	}
	for _, odd := range []string{"", "/", ":", "@", ":/:", "a:", "[::1]:5/x"} {
		DefaultAliases(odd) // the policy refuses invalid host names; here nothing may panic
	}
}

func TestAliases(t *testing.T) {
	for alias, want := range map[string][]string{"": {}, "db": {"db"}, "db,pg": {"db", "pg"}, " db pg\t, x\n": {"db", "pg", "x"}, ",": {}, "a;b": {"a;b"}} {
		if got := (imageResponse{Alias: alias}).service().Aliases; !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", alias, got, want)
		}
	}
}

func TestGitHost(t *testing.T) {
	for url, want := range map[string]string{
		"": "", "https://gitlab.example.org/g/p.git": "gitlab.example.org", "https://u:p@GitLab.example.org:8443/g/p.git": "GitLab.example.org",
		"http://[fd00::1]:80/g/p.git": "fd00::1", "git@gitlab.example.org:g/p.git": "", "ssh://git@gitlab.example.org:22/g/p.git": "gitlab.example.org",
		"://": "", "/srv/git/p.git": "",
	} {
		j, err := decode(strings.NewReader(`{"id": 1, "git_info": {"repo_url": "` + url + `"}}`))
		if err != nil || j.GitHost != want {
			t.Errorf("%q: %+v, %v, want %q", url, j, err, want)
		}
	}
}

func TestServiceEnv(t *testing.T) {
	public := func(key, value string) Variable { return Variable{Key: key, Value: value, Public: true} }
	type vars = []Variable
	tests := []struct {
		name     string
		job, own vars
		expanded map[string]string
		want     []string
	}{
		{"nothing", nil, nil, nil, nil},
		{"public only", vars{public("A", "1"), {Key: "SECRET", Value: "s"}, public("B", "2")}, nil, map[string]string{"A": "1", "SECRET": "s", "B": "2"}, []string{"A=1", "B=2"}},
		{"as the runner has expanded them", vars{public("A", "$B")}, nil, map[string]string{"A": "b"}, []string{"A=b"}},
		{"files are left out", vars{{Key: "F", Value: "text", Public: true, File: true}}, nil, map[string]string{"F": "/path"}, nil},
		{"own wins", vars{public("A", "job"), public("B", "job")}, vars{{Key: "A", Value: "own"}}, map[string]string{"A": "job", "B": "job"}, []string{"B=job", "A=own"}},
		{"own of a secret's name", vars{{Key: "A", Value: "secret"}}, vars{{Key: "A", Value: "own"}}, map[string]string{"A": "secret"}, []string{"A=own"}},
		{
			"own are expanded, with secrets where their author names them",
			vars{{Key: "SECRET", Value: "s"}},
			vars{{Key: "A", Value: "$SECRET-${B}-$NONE-"}, {Key: "B", Value: "b"}},
			map[string]string{"SECRET": "s", "B": "job"},
			[]string{"A=s-b--", "B=b"},
		},
		{"once only", nil, vars{{Key: "A", Value: "$B"}, {Key: "B", Value: "$C"}}, map[string]string{"C": "c"}, []string{"A=$C", "B=c"}},
		{"no expansion of what was expanded", vars{{Key: "S", Value: "x"}, public("A", "$$S")}, vars{{Key: "B", Value: "$A"}}, map[string]string{"S": "x", "A": "$S"}, []string{"A=$S", "B=$S"}},
		{"raw", nil, vars{{Key: "A", Value: "$B$$", Raw: true}}, map[string]string{"B": "b"}, []string{"A=$B$$"}},
		{"a dollar sign", nil, vars{{Key: "A", Value: "a$$B"}}, map[string]string{"B": "b"}, []string{"A=a$B"}},
		{"itself", vars{public("PATH", "/bin")}, vars{{Key: "PATH", Value: "/x:$PATH"}}, map[string]string{"PATH": "/bin"}, []string{"PATH=/x:/bin"}},
		{"itself, and no other", nil, vars{{Key: "A", Value: "-$A-"}}, nil, []string{"A=--"}},
		{"several lines, an equals sign", vars{public("A", "x\ny=z")}, vars{{Key: "B", Value: "=\n"}}, map[string]string{"A": "x\ny=z"}, []string{"A=x\ny=z", "B==\n"}},
		{"of two the last: a secret", vars{public("A", "open"), {Key: "A", Value: "secret"}}, nil, map[string]string{"A": "secret"}, nil},
		{"of two the last: public", vars{{Key: "A", Value: "secret"}, public("A", "open")}, nil, map[string]string{"A": "open"}, []string{"A=open"}},
		{"of two the last: a file", vars{public("A", "open"), {Key: "A", Value: "text", Public: true, File: true}}, nil, map[string]string{"A": "/path"}, nil},
		{"of two own ones the last", nil, vars{{Key: "A", Value: "1\n"}, {Key: "B", Value: "$A"}, {Key: "A", Value: "2"}}, nil, []string{"B=2", "A=2"}},
		{"of two public ones one", vars{public("A", "1"), public("B", "2"), public("A", "3")}, nil, map[string]string{"A": "3", "B": "2"}, []string{"B=2", "A=3"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			j := Job{Variables: test.job}
			got, tooLong, err := j.ServiceEnv(Service{Variables: test.own}, func(name string) string { return test.expanded[name] })
			if diff := cmp.Diff(test.want, got); diff != "" || len(tooLong) > 0 || err != nil {
				t.Errorf("(-want +got):\n%s%q, %v", diff, tooLong, err)
			}
		})
	}
}

// A value that would expand to very many bytes is refused before it is built: the test counts
// the bytes of the result, and those that are allocated.
func TestExpandBomb(t *testing.T) {
	const most = LongestVariable
	b := strings.Repeat("b", 100_000)
	for _, bomb := range []string{strings.Repeat("$B", most/2), strings.Repeat("${B}", most/4), strings.Repeat("$$", most/2) + "$B", strings.Repeat("x", most) + "$NONE", "$B$B"} {
		asked := 0
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, ok := Expand(bomb, most, func(string) string { asked++; return b })
		runtime.ReadMemStats(&after)
		allocated := after.TotalAlloc - before.TotalAlloc
		if ok || len(got) > 2*most || asked > 2 || allocated > 10*most {
			t.Errorf("%.20s…: %d bytes, %v, by %d lookups and %d bytes of memory", bomb, len(got), ok, asked, allocated)
		}
	}
	for value, want := range map[string]string{"": "", "$$B": "$B", "$B": b, "-${B}$NONE": "-" + b, strings.Repeat("x", most): strings.Repeat("x", most)} {
		if got, ok := Expand(value, most, func(name string) string { return map[string]string{"B": b}[name] }); got != want || !ok {
			t.Errorf("%.20s…: %d bytes, %v, want %d", value, len(got), ok, len(want))
		}
	}
}

// The names of variables that are too long are returned. More than a process can have is an
// error, however many variables there are.
func TestServiceEnvTooLong(t *testing.T) {
	fits := strings.Repeat("x", LongestVariable-len("FITS="))
	lookup := func(name string) string {
		return map[string]string{"FITS": fits, "LONG": fits + "x", "K": strings.Repeat("k", 1000)}[name]
	}
	j := Job{Variables: []Variable{{Key: "FITS", Public: true}, {Key: "LONG", Public: true}}}
	s := Service{Variables: []Variable{{Key: "BOMB", Value: strings.Repeat("$FITS", 1000)}, {Key: "RAW", Value: fits, Raw: true}, {Key: "RAW_", Value: fits + "xx", Raw: true}, {Key: "D", Value: strings.Repeat("$K", 131)}}}
	env, tooLong, err := j.ServiceEnv(s, lookup)
	if want := []string{"LONG", "BOMB", "RAW_"}; !slices.Equal(tooLong, want) || err != nil {
		t.Errorf("left out are %q (%v), want %q", tooLong, err, want)
	}
	if len(env) != 3 || env[0] != "FITS="+fits || env[1] != "RAW="+fits || len(env[2]) != len("D=")+131_000 {
		t.Errorf("there are %d variables", len(env))
	}
	s = Service{}
	asked := 0
	for i := range 1000 {
		s.Variables = append(s.Variables, Variable{Key: fmt.Sprintf("V%03d", i), Value: "$FITS"})
	}
	env, _, err = j.ServiceEnv(s, func(name string) string { asked++; return lookup(name)[:100_000] })
	if !errors.Is(err, ErrTooMuch) || env != nil || asked > 70 {
		t.Errorf("got %d variables, %v, after %d lookups", len(env), err, asked)
	}
}

// A public variable with the name of one of `secrets:` does not bring the secret's value.
func TestServiceEnvWithSecrets(t *testing.T) {
	j, err := decode(strings.NewReader(`{"id": 1, "secrets": {"A": {"vault": {}}, "B": null, "C": {}}, "variables": [
		{"key": "A", "value": "open $X $$ $A", "public": true}, {"key": "B", "value": "$X", "public": true, "raw": true},
		{"key": "D", "value": "$A", "public": true}, {"key": "X", "value": "x", "public": true}]}`))
	if err != nil {
		t.Fatal(err)
	}
	environment := map[string]string{"A": "s3cret", "B": "s3cret", "C": "s3cret", "D": "what its author names", "X": "x"}
	got, _, err := j.ServiceEnv(Service{Variables: []Variable{{Key: "E", Value: "$C"}}}, func(name string) string { return environment[name] })
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"A=open x $ ", "B=$X", "D=what its author names", "X=x", "E=s3cret"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
