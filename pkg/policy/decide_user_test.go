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
	const listed = ": no entry of allowed_users is this user\np.toml:5: general.podman.allowed_users lists what is allowed; ask the administrator of this runner for more"
	const form, mend = ": want USER or USER:GROUP", "\nmend `user:` in .gitlab-ci.yml"
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
		{"", "--privileged", subject + `"--privileged" is no user` + form + mend},
		{"", "a:", subject + `"a:" is no user` + form + mend},
		{"", ":0", subject + `":0" is no user` + form + mend},
		{"", "a:b:c", subject + `"a:b:c" is no user` + form + mend},
		{"", "root\n", subject + `"root\n" is no user` + form + mend},
		{"", "$USER", subject + `"$USER" is no user` + form + mend},
		{"", "4294967296", subject + `"4294967296" is no user: 4294967296 is too large` + mend},
		{"", "0:99999999999999999999", subject + `"0:99999999999999999999" is no user: 99999999999999999999 is too large` + mend},
		{"", strings.Repeat("x", 9999), subject + `"` + strings.Repeat("x", 80) + `…" is no user` + form + mend},
	}
	for _, test := range tests {
		message, hint := deny(t, policyWith(t, test.policy), Request{Image: "x", User: test.user})
		if got := message + "\n" + hint; got != "policy denies "+test.want {
			t.Errorf("%.99q:\n got %s\nwant policy denies %s", test.user, got, test.want)
		}
	}
	wantBadValue(t, "general.podman.allowed_users", `["ok", "a b", "99999999999"]`,
		`entry 2: "a b" is no user: want USER or USER:GROUP`, `entry 3: "99999999999" is no user: 99999999999 is too large`)
}

// Services are held to their own list, or else to that for jobs.
func TestServiceUsers(t *testing.T) {
	const jobs, services = "allowed_users = [\"1000\", \"nobody\"]\n", "allowed_service_users = [\"0999\", \"70:70\"]\n"
	tests := []struct{ policy, user, want string }{
		{jobs, "", ""}, // the image's own
		{jobs, "1000", "1000:1000"},
		{jobs, "nobody", "nobody"},
		{jobs, "root", `user "root": no entry of allowed_users is this user`},
		{jobs, "0", `user "0": no entry of allowed_users is this user`},
		{jobs + services, "999", "999:999"},
		{jobs + services, "070:070", "70:70"},
		{jobs + services, "1000", `user "1000": no entry of allowed_service_users is this user`},
		{jobs + services, "70", "70:70"}, // the same user
		{services, "root", `user "root": no entry of allowed_service_users is this user`},
		{jobs + services, "0999:0", `user "999:0": no entry of allowed_service_users is this user`},
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
	wantBadValue(t, "general.podman.allowed_service_users", `["ok", "a b"]`, `entry 2: "a b" is no user: want USER or USER:GROUP`)
}
