package policy

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// oneLine fails if an error is not a short line for a log.
func oneLine(t *testing.T, err error) {
	t.Helper()
	if s := err.Error(); len(s) > 600 || strings.ContainsAny(s, "\n\r\x1b") {
		t.Errorf("the error %q", s)
	}
}

// FuzzUser: a user is one word of names and numbers in their shortest form, so that no
// other way of writing root passes a list.
func FuzzUser(f *testing.F) {
	f.Add("root")
	p := policyWith(f, "allowed_users = ['1000', 'build:0']\n")
	f.Fuzz(func(t *testing.T, s string) {
		user, err := parseUser(s)
		if err != nil {
			oneLine(t, err)
			return
		}
		if again, err := parseUser(user); err != nil || again != user {
			t.Errorf("%q is %q, and that %q, %v", s, user, again, err)
		}
		for part := range strings.SplitSeq(user, ":") {
			if n, err := strconv.ParseUint(part, 10, 32); strings.Trim(part, "0123456789") == "" && (err != nil || strconv.FormatUint(n, 10) != part) {
				t.Errorf("%q is %q: the number %q", s, user, part)
			}
		}
		g, err := p.Decide(Request{Image: "x", User: s})
		if granted := err == nil; s != "" && granted != (withGroup(user) == "1000:1000" || user == "build:0") || granted && g.User != withGroup(user) {
			t.Errorf("%q is %q: %+v, %v", s, user, g, err)
		}
	})
}

// FuzzAlias: an alias that a service gets is a host name, and none of those that mean
// something else.
func FuzzAlias(f *testing.F) {
	f.Add("db", "postgres")
	p := policyWith(f, "")
	host := regexp.MustCompile(`\A[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\z`)
	reserved := []string{"gitlab.example.com"}
	f.Fuzz(func(t *testing.T, own, byDefault string) {
		g, err := p.Decide(Request{Image: "x", ReservedAliases: reserved, Services: []ServiceRequest{{Image: "x", Aliases: []string{own}, DefaultAliases: []string{byDefault}}}})
		if err != nil {
			oneLine(t, err)
			return
		}
		for _, service := range g.Services {
			for _, alias := range service.Aliases {
				if !host.MatchString(alias) || len(alias) > 255 || strings.EqualFold(alias, reserved[0]) || strings.EqualFold(alias, "localhost") {
					t.Errorf("%q, %q: the alias %q", own, byDefault, alias)
				}
			}
		}
	})
}

// FuzzSchedulerOption: an option that a job gets is one that an entry matches whole, and
// never podman's command, or an end of the options.
func FuzzSchedulerOption(f *testing.F) {
	f.Add("--time=1:00")
	p, err := Parse("p.toml", strings.NewReader(launching("scheduler_variable = \"S\"\nscheduler_allow_list = ['--(time|mem)=[0-9:]+', '-p.*', '.*-.*']\n")))
	if err != nil {
		f.Fatal(err)
	}
	whole := regexp.MustCompile(`\A(?:--(time|mem)=[0-9:]+|-p.*|.*-.*)\z`)
	f.Fuzz(func(t *testing.T, option string) {
		g, err := p.Decide(Request{Image: "x", LauncherOptions: []string{option}})
		if err != nil {
			return
		}
		if len(g.LauncherOptions) != 1 || g.LauncherOptions[0] != option || !whole.MatchString(option) || !strings.HasPrefix(option, "-") || strings.Trim(option, "-") == "" {
			t.Errorf("%q: %q", option, g.LauncherOptions)
		}
	})
}

// FuzzLimits: a limit that a job gets is a number within the maximum; a refusal is a line.
func FuzzLimits(f *testing.F) {
	f.Add("1g", "0.5", "100")
	p := policyWith(f, "[general.podman.container]\nmax_memory = '2g'\nmax_memory_swap = '4g'\nmax_cpus = 2\nmax_pids_limit = 1000\nmax_shm_size = '1g'\n")
	f.Fuzz(func(t *testing.T, size, cpus, pids string) {
		g, err := p.Decide(Request{Image: "x", Limits: LimitRequest{CPUs: cpus, Memory: size, MemorySwap: size, PIDsLimit: pids, ShmSize: size}})
		if err != nil {
			oneLine(t, err)
			return
		}
		c := g.Container
		if c.Memory < 0 || c.Memory > 2<<30 || c.MemorySwap < c.Memory || c.MemorySwap > 4<<30 || c.ShmSize < 0 || c.ShmSize > 1<<30 || c.PIDsLimit.Value < 0 || c.PIDsLimit.Value > 1000 || c.CPUs < 0 || c.CPUs.String() == "" {
			t.Errorf("%q, %q, %q: %+v", size, cpus, pids, c)
		}
	})
}
