package main

import (
	"testing"
)

func TestNormaliserLine(t *testing.T) {
	n := normaliser{server: "http://192.0.2.2:40000", registry: "127.0.0.1:50000"}
	for line, want := range map[string]string{
		"as it is, uid=1000(builder)":                                     "as it is, uid=1000(builder)",
		"http://192.0.2.2:40000/a and 192.0.2.2:40000":                    "GITLAB/a and GITLAB",
		"127.0.0.1:50000/group/app":                                       "REGISTRY/group/app",
		"/builds/parity/project/x":                                        "PROJECT_DIR/x",
		"/builds/ab_cd-efg/0/parity/project.tmp/x":                        "PROJECT_DIR.tmp/x",
		"/builds/other/project":                                           "/builds/other/project",
		"runner-ab_cd-efg-project-7-concurrent-3":                         "runner-TOKEN-project-7-concurrent-SLOT",
		"section_start:1700000000:mine":                                   "section_start:TIME:mine",
		"++ CI_JOB_ID=1001":                                               "++ CI_JOB_ID=VALUE",
		"GITLAB/a/-/jobs/1001":                                            "GITLAB/a/-/jobs/ID",
		"Gitaly correlation ID: 0af":                                      "Gitaly correlation ID: ID",
		"ok\x1b[0;m  correlation_id\x1b[0;m=0af id\x1b[0;m=1001 token=x":  `ok\e[0;m  correlation_id=ID id=ID token=x`,
		"Downloading artifacts for made by one (1001)...":                 "Downloading artifacts for made by one (ID)...",
		"ERROR: Job failed: exit status 3":                                "ERROR: Job failed: exit code 3",
		"a script says: ERROR: Job failed: exit status 3":                 "a script says: ERROR: Job failed: exit status 3",
		"/usr/bin/bash: line 123: x: command not found":                   "SCRIPT: line N: x: command not found",
		"/run/podman-executor/script: line 4: x: command not found":       "SCRIPT: line N: x: command not found",
		"podman-executor: 31: x: not found":                               "podman-executor: line N: x: not found",
		"ERROR: Job failed (system failure): x (docker.go:977:2s). See y": "ERROR: Job failed (system failure): x. See y",
		"10%\r\x1b[1mbold\x00":                                            `10%\r\e[1mbold\0`,
	} {
		if got := n.line(line); got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}

func TestNormaliserLog(t *testing.T) {
	got, err := normaliser{server: "http://gitlab", registry: "registry"}.log(trace(
		"00O Running with gitlab-runner 19.4.0",
		"00O section_start:1700000000:prepare_executor"+clear,
		"00O Using helper image:  helper",
		"01E podman-executor-prepare: warning: the service a probably didn't start properly",
		"00O section_end:1700000000:prepare_executor"+clear,
		"00O section_start:1700000000:step_script"+clear,
		"00O Using docker image sha256:0af for debian",
		"00O WARNING: Starting with version 17.0 the 'build_script' stage will be replaced",
		"01O Using docker image sha256:0af says the script",
		"01E + CI_DISPOSABLE_ENVIRONMENT=true",
		"00O section_end:1700000000:step_script"+clear,
		"00O Container runner-x-build disconnected from network bridge",
		"00O Job succeeded",
	))
	const want = `== prepare_executor
a service probably didn't start properly
== step_script, output
Using docker image sha256:0af says the script
== the end
Job succeeded
`
	if got != want || err != nil {
		t.Errorf("got %v\n%s", err, got)
	}
}
