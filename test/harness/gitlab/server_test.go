package gitlab

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestQueue(t *testing.T) {
	server, c := start(t)
	if job := c.request(); job != nil {
		t.Errorf("an empty queue gave job %d", job.ID)
	}
	first, second := server.Submit(NewJob("first", "true")), server.Submit(NewJob("second", "true"))
	if first.Job.ID == second.Job.ID || first.Job.Token == second.Job.Token {
		t.Errorf("two jobs share id %d or token %q", first.Job.ID, first.Job.Token)
	}
	var names []string
	for range 3 {
		if job := c.request(); job != nil {
			names = append(names, job.Info.Name)
		}
	}
	if diff := cmp.Diff([]string{"first", "second"}, names); diff != "" {
		t.Errorf("jobs handed out (-want +got):\n%s", diff)
	}
	wantExpected(t, server)
}

func TestRunnerCalls(t *testing.T) {
	server, c := start(t)
	wantStatus(t, "verify", c.runner("POST", "runners/verify"), http.StatusOK)
	wantStatus(t, "unregister the manager", c.runner("DELETE", "runners/managers"), http.StatusNoContent)

	c.token = DefaultRegistrationToken
	a := c.runner("POST", "runners")
	wantStatus(t, "register", a, http.StatusCreated)
	wantHeader(t, "register", a, "Content-Type", "application/json")
	var registered runnerReply
	if err := json.Unmarshal(a.body, &registered); err != nil || registered.ID == 0 {
		t.Fatalf("register: id %d, error %v", registered.ID, err)
	}
	c.token = registered.Token
	wantStatus(t, "request as the new runner", c.runner("POST", "jobs/request"), http.StatusNoContent)
	wantStatus(t, "unregister", c.runner("DELETE", "runners"), http.StatusNoContent)
	wantExpected(t, server)
	wantStatus(t, "request once unregistered", c.runner("POST", "jobs/request"), http.StatusForbidden)
}

func TestRefusals(t *testing.T) {
	body := func(token string) map[string]string { return map[string]string{"token": token} }
	tests := []struct {
		name string
		call func(c *client) answer
		want string
	}{
		{"unknown path", func(c *client) answer { return c.do("GET", "version", nil, nil) }, "GET /api/v4/version: 404 no such endpoint"},
		{"unknown method", func(c *client) answer { return c.do("GET", "jobs/request", nil, nil) }, "GET /api/v4/jobs/request: 404 no such endpoint"},
		{"git below the API", func(c *client) answer { return c.do("GET", "x.git/info/refs", nil, nil) }, "GET /api/v4/x.git/info/refs: 404 no such endpoint"},
		{"unknown runner", func(c *client) answer { return c.json("POST", "jobs/request", "RUNNER-TOKEN", "x", body("x")) }, "POST /api/v4/jobs/request: 403 unknown runner token"},
		{"header and body differ", func(c *client) answer { return c.json("POST", "runners/verify", "RUNNER-TOKEN", "x", body(c.token)) }, `POST /api/v4/runners/verify: 400 RUNNER-TOKEN "x" differs from the body's token "glrt-testtoken0000000000"`},
		{"runner token for registration", func(c *client) answer { return c.json("POST", "runners", "RUNNER-TOKEN", c.token, body(c.token)) }, "POST /api/v4/runners: 403 unknown registration token"},
		{"no JSON", func(c *client) answer { return c.do("POST", "runners", nil, []byte("{")) }, "POST /api/v4/runners: 400 decoding the body: unexpected EOF"},
		{"unknown job", func(c *client) answer { return c.running(&Job{ID: 1}) }, "PUT /api/v4/jobs/1: 404 no such job"},
		{"job id is not a number", func(c *client) answer { return c.do("PUT", "jobs/x", nil, nil) }, "PUT /api/v4/jobs/x: 404 no such job"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server, c := start(t)
			a := test.call(c)
			if !strings.Contains(test.want, fmt.Sprintf(": %d ", a.status)) {
				t.Errorf("status %d, want %q", a.status, test.want)
			}
			wantHeader(t, "refusal", a, "Content-Type", "application/json")
			if diff := cmp.Diff([]string{test.want}, server.Unexpected()); diff != "" {
				t.Errorf("Unexpected (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHost(t *testing.T) {
	server, err := Start(Options{Host: "gitlab.test", RunnerToken: "glrt-x"})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if !strings.HasPrefix(server.URL(), "http://gitlab.test:") {
		t.Errorf("URL is %s", server.URL())
	}
	if _, err := Start(Options{Address: "256.0.0.1:0"}); err == nil {
		t.Error("an impossible address was accepted")
	}
}
