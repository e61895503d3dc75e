package policy

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/containers/common/pkg/config"
	"github.com/google/go-cmp/cmp"
)

// entry is one line of the policy that has every key.
type entry struct{ table, key, value string }

func (e entry) name() string { return e.table + "." + e.key }

const (
	general = "general"
	pod     = "general.podman"
	volumes = "general.podman.volumes"
)

// every has each key of keys.go once, but the tables `services`, which
// parse_services_test.go has: see TestEveryKeyIsTested.
var every = append([]entry{
	{general, "run_mechanism", `"podman"`},
	{general, "data_dir", `"/var/lib/podman-executor"`},
	{general, "state_dir", `"/var/lib/state"`},
	{general, "min_free_space", `"5g"`},
	{general, "log_level", `"debug"`},
	{general, "log_file", `"/var/log/podman-executor.log"`},
	{general, "log_format", `"json"`},
	{pod, "application_path", `"/usr/bin/podman"`},
	{pod, "runner_image", `"registry.example.org/runner:1"`},
	{pod, "runner_options", `["--memory", "1g"]`},
	{pod, "runner_entry_point", `["bash"]`},
	{pod, "runner_binary", `"/usr/bin/gitlab-runner"`},
	{pod, "default_image", `"debian:12"`},
	{pod, "custom_options", `["--pids-limit=500"]`},
	{pod, "user_entry_point", `["sh", "-e"]`},
	{pod, "step_script_only", `false`},
	{pod, "launcher", `[]`},
	{pod, "launcher_mode", `"batch"`},
	{pod, "scheduler_variable", `"SCHEDULER_PARAMETERS"`},
	{pod, "scheduler_allow_list", `["--time=[0-9:]+"]`},
	{pod, "disable_container_removal", `true`},
	{pod, "image_entry_point", `true`},
	{pod, "login_shell", `true`},
	{pod, "short_project_dir", `true`},
	{pod, "start_per_step", `true`},
	{pod, "image_pull_policy", `"newer"`},
	{pod, "allowed_pull_policies", `["if-not-present", "always"]`},
	{pod, "registry_auth_file", `"/etc/podman-executor/auth.json"`},
	{pod, "image_allow_list", `["registry\\.example\\.org/.*", "docker\\.io/library/.*"]`},
	{pod, "allowed_users", `["1000:1000", "nobody"]`},
	{pod, "allowed_service_users", `["999"]`},
	{pod, "service_allow_list", `["docker\\.io/.*"]`},
	{pod, "services_limit", `3`},
	{pod, "wait_for_services_timeout", `-1`},
	{pod, "enable_ipv6", `true`},
	{pod, "network_mtu", `1400`},
	{pod, "require_limits", `true`},
	{pod, "user_volume_variable", `"USER_VOLUMES"`},
	{pod, "volume_allow_list", `["/data(/.*)?"]`},
	{pod, "service_url", `"unix:///run/podman/podman.sock"`},
	{pod, "service_urls", `[]`},
	{pod, "identity", `""`},
	{pod, "known_hosts", `""`},
	{pod, "environment", `["HTTPS_PROXY=http://proxy:3128"]`},
	{pod + ".timeouts", "pull", `1800`},
	{pod + ".timeouts", "command", `60`},
	{volumes, "read_only", `true`},
	{volumes, "allowed_options", `["z", "noexec"]`},
}, containerEntries...)

// write returns the policy file of those entries, and the line of each key and
// table.
func write(entries []entry) (text string, lines map[string]int) {
	var b strings.Builder
	lines = map[string]int{}
	line, table := 0, ""
	for _, e := range entries {
		if e.table != table {
			table = e.table
			line++
			fmt.Fprintf(&b, "[%s]\n", table)
			lines[table] = line
		}
		line++
		fmt.Fprintf(&b, "%s = %s\n", e.key, e.value)
		lines[e.name()] = line
	}
	return b.String(), lines
}

// problems returns what Parse says of a text, one problem an element.
func problems(t *testing.T, text string) []string {
	t.Helper()
	p, err := Parse("p.toml", strings.NewReader(text))
	if err == nil {
		return nil
	}
	var ps Problems
	if !errors.As(err, &ps) || len(ps) == 0 {
		t.Fatalf("want Problems, got %T %v", err, err)
	}
	if p != nil {
		t.Error("Parse returned a policy, although there are problems")
	}
	return strings.Split(err.Error(), "\n")
}

func wantProblems(t *testing.T, text string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, problems(t, text)); diff != "" {
		if len(text) > 200 {
			text = "…"
		}
		t.Errorf("of the policy\n%s\n(-want +got):\n%s", text, diff)
	}
}

// parse returns the policy of a text that has no problems.
func parse(t testing.TB, text string) *Policy {
	t.Helper()
	p, err := Parse("p.toml", strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v\nin\n%s", err, text)
	}
	return p
}

func TestEveryKeyIsTested(t *testing.T) {
	got, want := []string{pod + ".services"}, []string{}
	for _, e := range every {
		got = append(got, e.name())
	}
	var walk func(prefix string, v reflect.Value)
	walk = func(prefix string, v reflect.Value) {
		for key, f := range fields(v) {
			if isTable(f.Type()) {
				walk(prefix+key+".", f)
				continue
			}
			want = append(want, prefix+key)
		}
	}
	walk("", reflect.ValueOf(&Policy{}).Elem())
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the keys of keys.go and of these tests (-types +tests):\n%s", diff)
	}
}

func TestEveryKey(t *testing.T) {
	text, lines := write(every)
	p := parse(t, text)
	got := p.General
	// TestEveryKeyOfContainers looks at these.
	got.Podman.Container, got.Podman.ServiceContainer = UserContainer{}, Container{}
	want := General{
		RunMechanism: "podman", DataDir: "/var/lib/podman-executor", StateDir: "/var/lib/state", MinFreeSpace: 5 << 30,
		LogLevel: "debug", LogFile: "/var/log/podman-executor.log", LogFormat: "json",
		Podman: Podman{
			ApplicationPath: "/usr/bin/podman", RunnerImage: "registry.example.org/runner:1", DefaultImage: "debian:12",
			RunnerBinary: "/usr/bin/gitlab-runner", RunnerOptions: []string{"--memory", "1g"}, RunnerEntryPoint: []string{"bash"},
			CustomOptions: []string{"--pids-limit=500"}, UserEntryPoint: []string{"sh", "-e"},
			LauncherMode:      LauncherBatch,
			SchedulerVariable: "SCHEDULER_PARAMETERS", SchedulerAllowList: []Rule{{Expression: `--time=[0-9:]+`}},
			ImageEntryPoint: true, LoginShell: true, ShortProjectDir: true, StartPerStep: true, RegistryAuthFile: "/etc/podman-executor/auth.json",
			ImagePullPolicy:         PullPolicies{config.PullPolicyNewer},
			AllowedPullPolicies:     PullPolicies{config.PullPolicyMissing, config.PullPolicyAlways},
			DisableContainerRemoval: true, RequireLimits: true, UserVolumeVariable: "USER_VOLUMES",
			ImageAllowList: []Rule{{Expression: `registry\.example\.org/.*`}, {Expression: `docker\.io/library/.*`}},
			AllowedUsers:   []string{"1000:1000", "nobody"}, AllowedServiceUsers: []string{"999"},
			ServiceAllowList: []Rule{{Expression: `docker\.io/.*`}}, ServicesLimit: Integer{3, true}, WaitForServicesTimeout: Integer{-1, true},
			EnableIPv6: true, NetworkMTU: Integer{1400, true},
			Timeouts:        Timeouts{Pull: Integer{1800, true}, Command: Integer{60, true}},
			VolumeAllowList: []Rule{{Expression: `/data(/.*)?`}},
			ServiceURL:      "unix:///run/podman/podman.sock", Environment: []string{"HTTPS_PROXY=http://proxy:3128"},
			Volumes: Volumes{ReadOnly: true, AllowedOptions: []string{"z", "noexec"}},
		},
	}
	sameRule := cmp.Comparer(func(a, b Rule) bool { return a.Expression == b.Expression })
	if diff := cmp.Diff(want, got, sameRule); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if p.File() != "p.toml" {
		t.Errorf("File() = %q", p.File())
	}
	for key, line := range lines {
		if p.Line(key) != line {
			t.Errorf("Line(%q) = %d, want %d", key, p.Line(key), line)
		}
	}
	if p.Line("general.nothing") != 0 {
		t.Errorf("Line of an absent key = %d, want 0", p.Line("general.nothing"))
	}
}

func TestEachKeyDeleted(t *testing.T) {
	required := map[string]string{
		"general.run_mechanism":       "p.toml:1: general.run_mechanism: missing: the key is required",
		"general.podman.runner_image": "p.toml:9: general.podman.runner_image: missing: the image for gitlab-runner's own steps; it must contain bash and git",
	}
	for i, e := range every {
		text, lines := write(slices.Delete(slices.Clone(every), i, i+1))
		if e.key == "memory" {
			key := e.table + ".memory_swap"
			wantProblems(t, text, fmt.Sprintf("p.toml:%d: %s: requires memory", lines[key], key))
		} else if message := required[e.name()]; message != "" {
			wantProblems(t, text, message)
		} else {
			wantProblems(t, text)
		}
	}
}

func TestEachKeyTwice(t *testing.T) {
	for i, e := range every {
		if strings.HasPrefix(e.value, "{") {
			// TOML names the first key of such a table.
			e.value = "{}"
		}
		text, lines := write(slices.Insert(slices.Clone(every), i+1, e))
		wantProblems(t, text, fmt.Sprintf("p.toml:%d: %s: duplicate: the file already has this key", lines[e.name()], e.name()))
	}
}

func TestEachKeyMistyped(t *testing.T) {
	types := []struct{ value, is string }{
		{`"a string"`, "a string"},
		{`7`, "the number 7"},
		{`1.5`, "the number 1.5"},
		{`true`, "true"},
		{`2026-01-02`, "a date"},
		{`["a"]`, "a list"},
		{`[{a = 1}]`, "a list"},
		{`{a = 1}`, "a table"},
	}
	for i, e := range every {
		want, right := "want a string", []string{"a string"}
		switch {
		case e.key == "cpus" || e.key == "max_cpus":
			want, right = "want a number of CPUs such as 1.5", []string{"a string", "the number 7", "the number 1.5"}
		case isSize(e.key):
			want, right = `want a size such as "512m"`, []string{"a string", "the number 7"}
		case strings.HasSuffix(e.key, "pull_policy") || strings.HasSuffix(e.key, "pull_policies"):
			want, right = "want a pull policy or a list of them", []string{"a string", "a list"}
		case e.key == "gpus":
			want, right = "want a list of strings", []string{"a list", "a string"}
		case strings.HasPrefix(e.value, "["):
			want, right = "want a list of strings", []string{"a list"}
		case strings.HasPrefix(e.value, "{"):
			want, right = "want a table", []string{"a table"}
		case e.value == "true" || e.value == "false":
			want, right = "want true or false", []string{"true"}
		case !strings.HasPrefix(e.value, `"`):
			want, right = "want a whole number", []string{"the number 7"}
		}
		for _, wrong := range types {
			if slices.Contains(right, wrong.is) {
				continue
			}
			entries := slices.Clone(every)
			entries[i].value = wrong.value
			text, lines := write(entries)
			wantProblems(t, text, fmt.Sprintf("p.toml:%d: %s: %s, got %s", lines[e.name()], e.name(), want, wrong.is))
		}
	}
}

func TestEachKeyMisspelt(t *testing.T) {
	misspell := map[string]func(string) string{
		"a letter less": func(k string) string { return k[:len(k)-1] },
		"a letter more": func(k string) string { return k + "s" },
		"two swapped":   func(k string) string { return k[1:2] + k[:1] + k[2:] },
		"upper case":    func(k string) string { return strings.ToUpper(k[:1]) + k[1:] },
		"a dash":        func(k string) string { return strings.Replace(k, "_", "-", 1) },
	}
	for i, e := range every {
		for how, wrong := range misspell {
			entries := slices.Clone(every)
			entries[i].key = wrong(e.key)
			isKey := func(k entry) bool { return k.name() == entries[i].name() }
			if slices.ContainsFunc(every, isKey) { // unchanged, or service_urls of service_url
				continue
			}
			text, lines := write(entries)
			name := entries[i].name()
			want := fmt.Sprintf("p.toml:%d: %s: unknown key (did you mean %q?)", lines[name], name, e.key)
			got := problems(t, text)
			if !slices.Contains(got, want) {
				t.Errorf("%s: want %q, got %q", how, want, got)
			}
			// These are also missed.
			if most := 1 + strings.Count(" run_mechanism runner_image memory ", " "+e.key+" "); len(got) > most {
				t.Errorf("%s: %q", how, got)
			}
		}
	}
}

func TestDidYouMean(t *testing.T) {
	tests := []struct{ key, want string }{
		{"data_dri", "unknown key (did you mean \"data_dir\"?)"},
		{"xxta_dir", "unknown key (did you mean \"data_dir\"?)"},
		{"xxxa_dir", "unknown key"},
		{"data_di_r_", "unknown key (did you mean \"data_dir\"?)"},
		{"data", "unknown key"},
		{"x", "unknown key"},
	}
	for _, test := range tests {
		wantProblems(t, "[general]\nrun_mechanism = \"podman\"\n"+test.key+" = 1\n[general.podman]\nrunner_image = \"r\"\n",
			"p.toml:3: general."+test.key+": "+test.want)
	}
}

func TestDefaults(t *testing.T) {
	p := parse(t, "[general]\nrun_mechanism = \"podman\"\npodman.runner_image = \"r\"\n")
	want := General{RunMechanism: "podman", Podman: Podman{RunnerImage: "r"}}
	if diff := cmp.Diff(want, p.General); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzParsePolicy: any text is a policy or a list of problems with their places,
// never both and never a panic. An accepted one reads the same again, and decides
// on a job without a surprise.
func FuzzParsePolicy(f *testing.F) {
	text, _ := write(every)
	for _, seed := range []string{text, text + serviceTables, "", "[general]\n", "a = 1\na = 2\n", "x = \"\"\"\n", "general = {podman = {a = 1, a = 2}}\n", "[general]\n[general]\n", "a = [\n1,\n]\na = [\n1,\n]\n", "\"\" = 1\n", "[[general]]\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse("p.toml", strings.NewReader(text))
		if err == nil {
			if p.General.RunMechanism != "podman" {
				t.Errorf("run_mechanism %q was accepted", p.General.RunMechanism)
			}
			if again, err := Parse("p.toml", strings.NewReader(text)); err != nil || !reflect.DeepEqual(p.General, again.General) {
				t.Errorf("read again it is another policy, %v", err)
			}
			// What Parse accepts, Decide can use.
			_, _ = p.Decide(Request{})
			_, _ = p.Decide(Request{Image: "debian", Limits: LimitRequest{CPUs: "1", Memory: "1g", MemorySwap: "-1", PIDsLimit: "1", ShmSize: "1"}, Services: []ServiceRequest{{Image: "x", Aliases: []string{"a"}}}, Volumes: []VolumeRequest{{UserVolume: UserVolume{Source: "/a", Destination: "/b"}, Resolved: "/a", Mountable: true}}})
			return
		}
		var ps Problems
		if !errors.As(err, &ps) || len(ps) == 0 || p != nil {
			t.Fatalf("want Problems and no policy, got %v, %v", p, err)
		}
		for _, problem := range ps {
			if problem.File != "p.toml" || problem.What == "" || problem.Line < 0 || problem.Line > strings.Count(text, "\n")+2 {
				t.Errorf("odd problem: %+v", problem)
			}
		}
	})
}

// With an engine that backtracks the last rule alone would not end.
func TestHugeAllowList(t *testing.T) {
	list := strings.Repeat("'registry\\.example\\.org/(group/)*[a-z]+:.*',\n", 5_000)
	text := "[general]\nrun_mechanism = \"podman\"\n[general.podman]\nrunner_image = \"r\"\nimage_allow_list = [\n" + list + "'evil.example/(a|aa)+b:latest',\n]\n"
	deny(t, parse(t, text), Request{Image: "evil.example/" + strings.Repeat("a", 200)})
}
