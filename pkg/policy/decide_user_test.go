package policy

import (
	"strings"
	"testing"
)

func TestUsersDecided(t *testing.T) {
	const some = "allowed_users = [\"0100:0020\", \"nobody\"]\n"
	tests := []struct{ policy, user, want string }{
		{"", "", ""},
		{"", "0", "0"},
		{"", "00:007", "0:7"},
		{"", "4294967295", "4294967295"},
		{"", "my_user-x.y:_group", "my_user-x.y:_group"},
		{"", "1000x", "1000x"},
		{"", strings.Repeat("x", 64), strings.Repeat("x", 64)},
		{"allowed_users = []\n", "root", "root"},
		{some, "", ""}, // the image's own
		{some, "nobody", "nobody"},
		{some, "100:20", "100:20"},
		{some, "00100:20", "100:20"},
		{"allowed_users = [\"0:0\"]\n", "00:00", "0:0"},
		// with a list, the image does not choose the groups of a number
		{"allowed_users = [\"1000\"]\n", "01000", "1000:1000"},
		{"allowed_users = [\"0\"]\n", "0", "0:0"},
		{"allowed_users = [\"1000\"]\n", "1000:1000", "1000:1000"},
		{"allowed_users = [\"1000:1000\"]\n", "1000", "1000:1000"},
		{"allowed_users = [\"nobody\", \"1000x\"]\n", "1000x", "1000x"},
		{"allowed_service_users = [\"7\"]\n", "1000", "1000"},
	}
	for _, test := range tests {
		if g := grant(t, policyWith(t, test.policy), Request{Image: "x", User: test.user}); g.User != test.want {
			t.Errorf("%q under %q is %q, want %q", test.user, test.policy, g.User, test.want)
		}
		// A service has the same spelling.
		g := grant(t, policyWith(t, strings.ReplaceAll(test.policy, "allowed_service_users = [\"7\"]\n", "")), Request{Image: "x", Services: []ServiceRequest{{Image: "x", Aliases: []string{"a"}, User: test.user}}})
		if g.Services[0].User != test.want {
			t.Errorf("%q of a service is %q, want %q", test.user, g.Services[0].User, test.want)
		}
	}
}

func TestUsersDenied(t *testing.T) {
	const some = "allowed_users = [\"0100:0020\", \"nobody\"]\n"
	const listed = ": not in allowed_users\np.toml:5: general.podman.allowed_users lists what is allowed; ask the administrator of this runner for more"
	const form, fix = ": want USER or USER:GROUP", "\nfix `user:` in .gitlab-ci.yml"
	const subject = "the job's image:docker:user: "
	tests := []struct{ policy, user, want string }{
		{some, "root", `user "root"` + listed},
		{some, "Nobody", `user "Nobody"` + listed},
		{some, "nobody:20", `user "nobody:20"` + listed},
		{some, "100", `user "100"` + listed},
		{some, "000", `user "0"` + listed},
		{"allowed_users = [\"0\"]\n", "00:20", `user "0:20"` + listed},
		// a name is a number only in the image's own /etc/passwd
		{"allowed_users = [\"0\"]\n", "root", `user "root"` + listed},
		{"", "--privileged", subject + `invalid user "--privileged"` + form + fix},
		{"", "a:", subject + `invalid user "a:"` + form + fix},
		{"", ":0", subject + `invalid user ":0"` + form + fix},
		{"", "a:b:c", subject + `invalid user "a:b:c"` + form + fix},
		{"", "root\n", subject + `invalid user "root\n"` + form + fix},
		{"", "$USER", subject + `invalid user "$USER"` + form + fix},
		{"", "4294967296", subject + `invalid user "4294967296": 4294967296 is too large` + fix},
		{"", "0:99999999999999999999", subject + `invalid user "0:99999999999999999999": 99999999999999999999 is too large` + fix},
		{"", strings.Repeat("x", 9999), subject + `invalid user "` + strings.Repeat("x", 80) + `…"` + form + fix},
	}
	for _, test := range tests {
		message, hint := deny(t, policyWith(t, test.policy), Request{Image: "x", User: test.user})
		if got := message + "\n" + hint; got != "policy denies "+test.want {
			t.Errorf("%.99q:\n got %s\nwant policy denies %s", test.user, got, test.want)
		}
	}
	wantBadValue(t, "general.podman.allowed_users", `["ok", "a b", "99999999999"]`,
		`entry 2: invalid user "a b": want USER or USER:GROUP`, `entry 3: invalid user "99999999999": 99999999999 is too large`)
}

// Services are held to their own list, or else to that for jobs.
func TestServiceUsers(t *testing.T) {
	const jobs, services = "allowed_users = [\"1000\", \"nobody\"]\n", "allowed_service_users = [\"0999\", \"70:70\"]\n"
	tests := []struct{ policy, user, want string }{
		{jobs, "", ""}, // the image's own
		{jobs, "1000", "1000:1000"},
		{jobs, "nobody", "nobody"},
		{jobs, "root", `user "root": not in allowed_users`},
		{jobs, "0", `user "0": not in allowed_users`},
		{jobs + services, "999", "999:999"},
		{jobs + services, "070:070", "70:70"},
		{jobs + services, "1000", `user "1000": not in allowed_service_users`},
		{jobs + services, "70", "70:70"}, // the same user
		{services, "root", `user "root": not in allowed_service_users`},
		{jobs + services, "0999:0", `user "999:0": not in allowed_service_users`},
	}
	for _, test := range tests {
		p, asked := policyWith(t, test.policy), Request{Image: "x", Services: []ServiceRequest{{Image: "x", Aliases: []string{"a"}, User: test.user}}}
		if !strings.Contains(test.want, " ") {
			if g := grant(t, p, asked); g.Services[0].User != test.want {
				t.Errorf("%q under %q is %q, want %q", test.user, test.policy, g.Services[0].User, test.want)
			}
			continue
		}
		message, hint := deny(t, p, asked)
		if message != `policy denies service "docker.io/library/x:latest": `+test.want || !strings.Contains(hint, "users lists what is allowed; ask the administrator") {
			t.Errorf("%q under %q: %s\n%s", test.user, test.policy, message, hint)
		}
	}
	wantBadValue(t, "general.podman.allowed_service_users", `["ok", "a b"]`, `entry 2: invalid user "a b": want USER or USER:GROUP`)
}
