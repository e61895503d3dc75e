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
	}
	for _, test := range tests {
		if g := grant(t, policyWith(t, test.policy), Request{Image: "x", User: test.user}); g.User != test.want {
			t.Errorf("%q under %q is %q, want %q", test.user, test.policy, g.User, test.want)
		}
		// A service has the same spelling; the list is for the job's image.
		g := grant(t, policyWith(t, ""), Request{Image: "x", Services: []ServiceRequest{{Image: "x", Aliases: []string{"a"}, User: test.user}}})
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
		{"allowed_users = [\"0\"]\n", "00:00", `user "0:0"` + listed},
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
