package policy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLauncherOptions(t *testing.T) {
	p := parse(t, launching("default_image = \"debian:12\"\nscheduler_variable = \"SCHEDULER_PARAMETERS\"\nscheduler_allow_list = ['--time=[0-9:]+', '-p(short|main)', 'sh', '-']\n"))
	g := grant(t, p, Request{LauncherOptions: []string{"--time=0:30", "-pshort"}})
	if diff := cmp.Diff([]string{"--time=0:30", "-pshort"}, g.LauncherOptions); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	const listed = "p.toml:9: general.podman.scheduler_allow_list lists what is allowed; ask the administrator of this runner for more"
	const option = "write each option as one word that begins with `-`, such as --partition=short"
	for word, want := range map[string][2]string{
		"--time=1;reboot": {`no entry of scheduler_allow_list matches`, listed},
		"-pshort2":        {`no entry of scheduler_allow_list matches`, listed},
		"--time=$X":       {`no entry of scheduler_allow_list matches`, listed},
		// Whatever the list says: the launcher would take it for the command.
		"sh": {"not an option", option},
		"--": {"not an option", option},
		"-":  {"not an option", option},
	} {
		message, hint := deny(t, p, Request{LauncherOptions: []string{"--time=5", word}})
		if message != "policy denies SCHEDULER_PARAMETERS: \""+word+"\": "+want[0] || hint != want[1] {
			t.Errorf("%q: %s; %s", word, message, hint)
		}
	}
	// Without a list, none.
	message, _ := deny(t, parse(t, launching("default_image = \"debian:12\"\nscheduler_variable = \"S\"\n")), Request{LauncherOptions: []string{"--time=5"}})
	if message != `policy denies S: "--time=5": no entry of scheduler_allow_list matches` {
		t.Error(message)
	}
	message, hint := deny(t, p, Request{Services: []ServiceRequest{{Image: "redis"}}})
	if message != "policy denies services: the job's script runs on another machine, through a launcher" || hint != "remove `services:` from the job, or use a runner without a launcher (p.toml:6: general.podman.launcher)" {
		t.Errorf("%s; %s", message, hint)
	}
	// Where there is no launcher, the variable has no meaning.
	if g := grant(t, policyWith(t, "default_image = \"debian:12\"\n"), Request{LauncherOptions: []string{"x"}}); g.LauncherOptions != nil {
		t.Errorf("got %q", g.LauncherOptions)
	}
}
